"""The stack for acting outside of a rollout equals deques, and the rollout's own."""

import pytest
import torch

from agents.frame_stack import FrameStack
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import DequeStacks, draw_script, stacked

CPU = torch.device("cpu")


@pytest.mark.parametrize("stack_size", [1, 2, 3, 4])
def test_a_frame_stack_equals_deques_and_the_rollout(stack_size: int) -> None:
    shape = RolloutShape(20, 5, stack_size, (1, 5, 7), torch.uint8, ())
    script = draw_script(shape, 0, 0.2)
    rollout = RolloutBuffer(shape, CPU)
    rollout.start(script.first)
    script.fill(rollout)
    inputs, _ = stacked(script, DequeStacks(script.first, stack_size))

    frames = FrameStack(script.first, stack_size)
    assert torch.equal(frames.observation, inputs[0])
    for t in range(20):
        frames.push(script.observations[t], script.ended[t])
        assert torch.equal(frames.observation, inputs[t + 1])
        assert torch.equal(frames.observation, rollout.observation(t + 1, slice(0, 5)))


def test_vectors_pass_through_a_stack_of_one() -> None:
    script = draw_script(RolloutShape(3, 4, 1, (3,), torch.float32, ()), 0)
    frames = FrameStack(script.first, 1)
    for t in range(3):
        frames.push(script.observations[t], script.ended[t])
        assert torch.equal(frames.observation, script.observations[t])


def test_a_frame_stack_remembers_though_what_it_was_given_is_overwritten() -> None:
    """The pool hands out views of shared memory, which hold the next step's frames soon after."""
    script = draw_script(RolloutShape(6, 3, 4, (1, 5, 7), torch.uint8, ()), 0, 0.1)
    inputs, _ = stacked(script, DequeStacks(script.first, 4))
    shared = script.first.clone()
    frames = FrameStack(shared, 4)
    for t in range(6):
        shared.copy_(script.observations[t])
        frames.push(shared, script.ended[t])
        assert torch.equal(frames.observation, inputs[t + 1])
