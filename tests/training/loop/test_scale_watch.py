"""States in units that a policy is not made for are told."""

import math

import pytest
import torch

from agents.losses.moments import moments_of
from agents.networks.actor_critic import VectorActorCritic
from agents.networks.scaling import BoundScaling, NoScaling, RunningScaling
from agents.rollout import RolloutBuffer
from tests.agents.small import FRAME, Kind, make_learner
from training.loop.scale_watch import far_from_scale

OPEN = BoundScaling((-math.inf, -1e5, -3e38), (math.inf, 1e5, 3e38))


def rollout_of(states: torch.Tensor) -> RolloutBuffer:
    """Return a rollout whose first observations are `states` [N, 3]; the others are 0."""
    rollout = RolloutBuffer(Kind().rollout_shape(2, len(states)), torch.device("cpu"))
    rollout.start(states)
    return rollout


def hint(scaling: torch.nn.Module, states: list[float]) -> str | None:
    policy = VectorActorCritic(
        scaling, 3, (4,), num_actions=2, discrete=True, value_init_gain=0.0, intrinsic_head=False
    )
    return far_from_scale(policy, rollout_of(torch.tensor([[0.0, 0.0, 0.0], states])))


def test_dimensions_without_bounds_in_the_thousands_are_named() -> None:
    found = hint(OPEN, [5.0, 9e4, -2000.0])
    assert found is not None
    assert found.startswith("the state's dimensions 2 reach 6,000 ")
    assert "ObservationScaling = running" in found
    assert "dimensions 0, 2 reach 9,000" in (hint(OPEN, [3000.0, 0.0, 500.0]) or "")


@pytest.mark.parametrize("states", [[5.0, 9e4, 20.0], [-99.0, 1e5, 0.0]])
def test_stated_bounds_and_small_numbers_are_no_reason_for_a_hint(states: list[float]) -> None:
    assert hint(OPEN, states) is None


def test_states_that_leave_their_bounds_by_far_or_are_not_scaled_are_told() -> None:
    assert hint(BoundScaling((-1.0,) * 3, (1.0,) * 3), [0.0, 0.0, 200.0]) is not None
    assert hint(NoScaling(), [0.0, 1000.0, 0.0]) is not None


def test_running_statistics_and_frames_need_no_hint() -> None:
    running = RunningScaling(3)
    running.update(moments_of(torch.randn(9, 3)))
    assert hint(running, [1e9, 0.0, 0.0]) is None
    kind = Kind(FRAME)
    rollout = RolloutBuffer(kind.rollout_shape(2, 1), torch.device("cpu"))
    assert far_from_scale(make_learner(kind, 1).policy, rollout) is None
