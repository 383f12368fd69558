"""The graphs of a policy compute what the policy does."""

import io
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.losses.moments import moments_of
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.state_statistics import state_statistics
from tests.agents.small import FRAME, NUM_ACTIONS, VECTOR, Kind, make_learner
from training.exporting.policy_graph import (
    missing_for_onnx,
    onnx_bytes,
    output_names,
    program_bytes,
    trace,
)
from workers.environments.base import EnvironmentSpec

STACK = 2
LOW, HIGH = (10.0, -math.inf, -0.125), (20.0, math.inf, -0.0625)
OFFSET, SCALE = torch.tensor([15.0, 0.0, -0.09375]), torch.tensor([5.0, 1.0, 0.03125])


def spec_of(kind: Kind) -> EnvironmentSpec:
    frames = len(kind.observation_shape) == 3
    return EnvironmentSpec(
        "Small-v0",
        kind.observation_shape,
        "uint8" if frames else "float32",
        discrete=kind.discrete,
        num_actions=NUM_ACTIONS,
        action_low=() if kind.discrete else LOW,
        action_high=() if kind.discrete else HIGH,
        action_offset=() if kind.discrete else tuple(OFFSET.tolist()),
        action_scale=() if kind.discrete else tuple(SCALE.tolist()),
    )


def stack_of(kind: Kind) -> int:
    return STACK if len(kind.observation_shape) == 3 else 1


def inputs(kind: Kind, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    if len(kind.observation_shape) == 3:
        shape = (count, STACK, *kind.observation_shape[1:])
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return torch.randn(count, *kind.observation_shape, generator=generator)


def expected(policy: torch.nn.Module, observation: Tensor) -> list[Tensor]:
    with torch.no_grad():
        distribution, *values = policy(observation)[:3]
    if isinstance(distribution, Categorical):
        return [distribution.log_probs, *values]
    assert isinstance(distribution, DiagonalGaussian)
    action = (OFFSET + SCALE * distribution.mean).clamp(torch.tensor(LOW), torch.tensor(HIGH))
    return [distribution.mean, distribution.log_std, action, *values]


RUNNING = Kind(VECTOR, running=True)
KINDS = [Kind(shape, discrete=discrete) for shape in (VECTOR, FRAME) for discrete in (True, False)]


@pytest.mark.parametrize("kind", [*KINDS, Kind(VECTOR, bonus=False), RUNNING], ids=str)
def test_a_saved_program_equals_the_policy_to_the_last_bit_for_any_batch(kind: Kind) -> None:
    policy = make_learner(kind, num_envs=1).policy
    if (statistics := state_statistics(policy)) is not None:
        statistics.update(moments_of(1e4 + 300 * inputs(kind, 64)))
    content = program_bytes(trace(policy, spec_of(kind), stack_of(kind)))
    program = torch.export.load(io.BytesIO(content)).module()
    for count in (1, 2, 7):
        found = program(inputs(kind, count))
        wanted = expected(policy, inputs(kind, count))
        assert len(found) == len(output_names(spec_of(kind))) == len(wanted)
        assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.skipif(bool(missing_for_onnx()), reason="the packages for ONNX are not installed")
@pytest.mark.parametrize("kind", [*KINDS, RUNNING], ids=str)
def test_an_onnx_graph_computes_nearly_the_same(kind: Kind) -> None:
    runtime = pytest.importorskip("onnxruntime")
    policy = make_learner(kind, num_envs=1).policy
    spec = spec_of(kind)
    session = runtime.InferenceSession(onnx_bytes(trace(policy, spec, stack_of(kind)), spec))
    assert [output.name for output in session.get_outputs()] == list(output_names(spec))
    for count in (1, 7):
        found = session.run(None, {"observation": inputs(kind, count).numpy()})
        for one, other in zip(found, expected(policy, inputs(kind, count)), strict=True):
            np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)
