"""The graphs of a policy compute what the policy does."""

import io

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.networks.distributions import Categorical, DiagonalGaussian
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


def spec_of(kind: Kind) -> EnvironmentSpec:
    frames = len(kind.observation_shape) == 3
    return EnvironmentSpec(
        "Small-v0",
        kind.observation_shape,
        "uint8" if frames else "float32",
        discrete=kind.discrete,
        num_actions=NUM_ACTIONS,
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
        distribution, *values = policy(observation)
    if isinstance(distribution, Categorical):
        return [distribution.log_probs, *values]
    assert isinstance(distribution, DiagonalGaussian)
    return [distribution.mean, distribution.log_std, *values]


KINDS = [Kind(shape, discrete=discrete) for shape in (VECTOR, FRAME) for discrete in (True, False)]


@pytest.mark.parametrize("kind", [*KINDS, Kind(VECTOR, bonus=False)], ids=str)
def test_a_saved_program_equals_the_policy_to_the_last_bit_for_any_batch(kind: Kind) -> None:
    policy = make_learner(kind, num_envs=1).policy
    content = program_bytes(trace(policy, spec_of(kind), stack_of(kind)))
    program = torch.export.load(io.BytesIO(content)).module()
    for count in (1, 2, 7):
        found = program(inputs(kind, count))
        wanted = expected(policy, inputs(kind, count))
        assert len(found) == len(output_names(spec_of(kind))) == len(wanted)
        assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.skipif(bool(missing_for_onnx()), reason="the packages for ONNX are not installed")
@pytest.mark.parametrize("kind", KINDS, ids=str)
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
