"""The graphs of a policy compute what the policy does."""

import io
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.losses.moments import moments_of
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences
from agents.ppo.state_statistics import state_statistics
from tests.agents.small import FRAME, NUM_ACTIONS, VECTOR, Kind, make_learner
from training.exporting.policy_graph import (
    input_names,
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


def expected(policy: torch.nn.Module, observation: PolicyInput) -> list[Tensor]:
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
    session = runtime.InferenceSession(
        onnx_bytes(trace(policy, spec, stack_of(kind)), input_names(0), output_names(spec))
    )
    assert [output.name for output in session.get_outputs()] == list(output_names(spec))
    for count in (1, 7):
        found = session.run(None, {"observation": inputs(kind, count).numpy()})
        for one, other in zip(found, expected(policy, inputs(kind, count)), strict=True):
            np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)


REMEMBERING = [
    Kind(VECTOR, memory="GRU"),
    Kind(VECTOR, discrete=False, memory="LSTM", running=True),
    Kind(FRAME, memory="LSTM"),
    Kind(FRAME, discrete=False, memory="GRU"),
    Kind(VECTOR, memory="LSTM", custom=True),
]
STEPS = 4


def remembered(kind: Kind, policy: torch.nn.Module, count: int) -> list[list[Tensor]]:
    """What the policy says along sequences, at each step, and what it remembers after the last."""
    seen, memory = inputs(kind, STEPS * count), nothing(kind, count)
    with torch.no_grad():
        for observations in seen.split(count):
            memory = policy.step(observations, memory).memory  # type: ignore[operator]
    starts = torch.zeros(STEPS, count, dtype=torch.bool)
    parts = expected(policy, Sequences(seen, nothing(kind, count), starts))
    steps = [list(step) for step in zip(*(part.split(count) for part in parts), strict=True)]
    steps[-1].append(memory)
    return steps


def nothing(kind: Kind, count: int) -> Tensor:
    return torch.zeros(count, kind.rollout_shape(1, 1).memory_size)


@pytest.mark.parametrize("kind", REMEMBERING, ids=str)
def test_a_program_with_a_memory_fed_step_by_step_judges_as_the_policy_does_sequences(
    kind: Kind,
) -> None:
    policy = make_learner(kind, num_envs=1).policy
    spec, size = spec_of(kind), nothing(kind, 1).shape[1]
    content = program_bytes(trace(policy, spec, stack_of(kind), size))
    program = torch.export.load(io.BytesIO(content)).module()
    for count in (1, 3):
        memory = nothing(kind, count)
        seen = inputs(kind, STEPS * count).unflatten(0, (STEPS, count))
        for observation, wanted in zip(seen, remembered(kind, policy, count), strict=True):
            found = program(observation, memory)
            memory = found[-1]
            assert len(found) == len(output_names(spec, size))
            for one, other in zip(found, wanted, strict=False):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(bool(missing_for_onnx()), reason="the packages for ONNX are not installed")
@pytest.mark.parametrize("kind", REMEMBERING, ids=str)
def test_so_does_an_onnx_graph_with_a_memory(kind: Kind) -> None:
    runtime = pytest.importorskip("onnxruntime")
    policy = make_learner(kind, num_envs=1).policy
    spec, size = spec_of(kind), nothing(kind, 1).shape[1]
    program = trace(policy, spec, stack_of(kind), size)
    session = runtime.InferenceSession(
        onnx_bytes(program, input_names(size), output_names(spec, size))
    )
    assert [each.name for each in session.get_inputs()] == list(input_names(size))
    for count in (1, 3):
        memory = nothing(kind, count).numpy()
        seen = inputs(kind, STEPS * count).unflatten(0, (STEPS, count))
        for observation, wanted in zip(seen, remembered(kind, policy, count), strict=True):
            found = session.run(None, {"observation": observation.numpy(), "memory": memory})
            memory = found[-1]
            for one, other in zip(found, wanted, strict=False):
                np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)
