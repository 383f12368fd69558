"""The rollout against deques: whatever is asked for, each frame is the one that was there."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from agents.rollout import CarriedState, RolloutBuffer, RolloutShape
from tests.agents.scripts import DequeStacks, draw_script, stacked

CPU = torch.device("cpu")
FRAME_OF_WORDS = (1, 4, 6)  # 24 bytes: three words of 8
ODD_FRAME = (1, 5, 7)  # 35 bytes
TWO_CHANNELS = (2, 3, 3)


def shape_of(
    stack_size: int,
    observation_shape: tuple[int, ...] = ODD_FRAME,
    *,
    T: int = 6,
    N: int = 5,
    action_shape: tuple[int, ...] = (),
) -> RolloutShape:
    dtype = torch.uint8 if len(observation_shape) == 3 else torch.float32
    return RolloutShape(T, N, stack_size, observation_shape, dtype, action_shape)


def assert_plays(rollout: RolloutBuffer, stacks: DequeStacks, seed: int, ends: float) -> None:
    """Play one script in two groups; compare all that can be asked for with the deques."""
    T, N = rollout.shape.rollout_steps, rollout.shape.num_envs
    script = draw_script(rollout.shape, seed, ends)
    inputs, after = stacked(script, stacks)
    script.fill(rollout, [slice(0, N - 2), slice(N - 2, N)])
    for t, envs in itertools.product(range(T + 1), [slice(0, N), slice(1, N - 1)]):
        assert torch.equal(rollout.observation(t, envs), inputs[t, envs])
    samples = torch.randperm(T * N, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(rollout.observations(samples), inputs[:T].flatten(0, 1)[samples])
    assert torch.equal(rollout.next_frames(samples), script.next_frames.flatten(0, 1)[samples])
    ended = script.ended.flatten().nonzero().flatten()
    assert torch.equal(rollout.final_observations(ended), after.flatten(0, 1)[ended])
    cut = (script.truncated & ~script.terminated).flatten().nonzero().flatten()
    assert torch.equal(rollout.truncated_samples(), cut)
    assert torch.equal(rollout.actions, script.actions)
    assert torch.equal(rollout.rewards, script.rewards)


@pytest.mark.parametrize("ends", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("stack_size", "observation_shape"),
    [
        (1, ODD_FRAME),
        (2, FRAME_OF_WORDS),
        (3, TWO_CHANNELS),
        (4, FRAME_OF_WORDS),
        (4, ODD_FRAME),
        (1, (3,)),
        (1, (4,)),
    ],
)
def test_stacks_and_next_frames_equal_those_of_deques_over_consecutive_rollouts(
    stack_size: int, observation_shape: tuple[int, ...], ends: float
) -> None:
    """Traps 5 and 13: with ends = 1 the store of last frames grows far beyond its start."""
    rollout = RolloutBuffer(shape_of(stack_size, observation_shape), CPU)
    first = draw_script(rollout.shape, 100).first
    rollout.start(first)
    stacks = DequeStacks(first, stack_size)
    for seed in range(4):
        assert_plays(rollout, stacks, seed, ends)
        rollout.carry_over()


@pytest.mark.parametrize("T", [1, 2])
def test_a_stack_reaches_over_rollouts_shorter_than_itself(T: int) -> None:
    rollout = RolloutBuffer(shape_of(4, T=T), CPU)
    first = draw_script(rollout.shape, 100).first
    rollout.start(first)
    stacks = DequeStacks(first, 4)
    for seed in range(8):
        assert_plays(rollout, stacks, seed, 0.15)
        rollout.carry_over()


def test_the_rollout_keeps_copies_of_what_it_is_given() -> None:
    """The pool's arrays are overwritten by the next step."""
    rollout = RolloutBuffer(shape_of(2), CPU)
    script = draw_script(rollout.shape, 0)
    given = draw_script(rollout.shape, 0)
    rollout.start(given.first)
    given.fill(rollout)
    for tensor in (given.first, given.observations, given.finals):
        tensor.zero_()
    inputs, _ = stacked(script, DequeStacks(script.first, 2))
    samples = torch.arange(30)
    assert torch.equal(rollout.observations(samples), inputs[:-1].flatten(0, 1))
    assert torch.equal(rollout.next_frames(samples), script.next_frames.flatten(0, 1))


def test_decisions_lie_where_they_were_made() -> None:
    rollout = RolloutBuffer(shape_of(1, (3,), action_shape=(2,)), CPU)
    script = draw_script(rollout.shape, 0)
    rollout.start(script.first)
    script.fill(rollout, [slice(0, 2), slice(2, 5)])
    for name in ("actions", "log_probs", "values_extrinsic", "values_intrinsic"):
        assert torch.equal(getattr(rollout, name), getattr(script, name)), name
    assert RolloutBuffer(shape_of(1, (3,)), CPU).actions.dtype == torch.int64


@pytest.mark.parametrize("stack_size", [1, 4])
def test_a_restored_rollout_continues_identically(stack_size: int) -> None:
    rollout = RolloutBuffer(shape_of(stack_size), CPU)
    rollout.start(draw_script(rollout.shape, 100).first)
    for seed in range(3):
        draw_script(rollout.shape, seed).fill(rollout)
        rollout.carry_over()
    state = rollout.carried_state()
    kept = CarriedState(state.frames.clone(), state.ages.clone())
    draw_script(rollout.shape, 3, 0.1).fill(rollout)
    assert torch.equal(state.frames, kept.frames)
    assert torch.equal(state.ages, kept.ages)

    resumed = RolloutBuffer(rollout.shape, CPU)
    resumed.restore(state)
    draw_script(rollout.shape, 3, 0.1).fill(resumed)
    assert_same_content(resumed, rollout)


@pytest.mark.parametrize("stack_size", [1, 3])
def test_a_rollout_given_up_on_leaves_nothing_behind_when_another_is_opened(
    stack_size: int,
) -> None:
    """A collection that was stopped halfway is of no use; neither are its last frames."""
    shape = shape_of(stack_size)
    used, fresh = RolloutBuffer(shape, CPU), RolloutBuffer(shape, CPU)
    used.start(draw_script(shape, 100).first)
    draw_script(shape, 0, 0.5).fill(used)
    script = draw_script(shape, 1, 0.1)
    for rollout in (used, fresh):
        rollout.start(script.first)
        script.fill(rollout)
    assert_same_content(used, fresh)
    fresh.carry_over()
    state = fresh.carried_state()
    for rollout in (used, fresh):
        rollout.restore(state)
        draw_script(shape, 2, 0.1).fill(rollout)
    assert_same_content(used, fresh)


def test_every_frame_is_held_once_and_as_bytes() -> None:
    """Trap 13: a store of stacks would be four times as large, one of float32 sixteen times."""
    shape = shape_of(4, (1, 36, 36), T=64, N=8)
    rollout = RolloutBuffer(shape, CPU)
    storages = {
        value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
        for value in vars(rollout).values()
        if isinstance(value, Tensor)
    }
    assert sum(storages.values()) < 1.2 * 64 * 8 * 36 * 36
    assert rollout.observations(torch.arange(3)).dtype == torch.uint8


def assert_same_content(one: RolloutBuffer, other: RolloutBuffer) -> None:
    samples = torch.arange(one.rewards.numel())
    assert torch.equal(one.observations(samples), other.observations(samples))
    assert torch.equal(one.next_frames(samples), other.next_frames(samples))
    ended = (one.terminated | one.truncated).flatten().nonzero().flatten()
    assert torch.equal(one.final_observations(ended), other.final_observations(ended))


@pytest.mark.parametrize("ends", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(
    ("stack_size", "observation_shape"),
    [(1, ODD_FRAME), (2, FRAME_OF_WORDS), (3, TWO_CHANNELS), (4, ODD_FRAME), (1, (3,))],
)
def test_next_inputs_equal_those_of_deques_over_consecutive_rollouts(
    stack_size: int, observation_shape: tuple[int, ...], ends: float
) -> None:
    rollout = RolloutBuffer(shape_of(stack_size, observation_shape), CPU)
    first = draw_script(rollout.shape, 100).first
    rollout.start(first)
    stacks = DequeStacks(first, stack_size)
    for seed in range(4):
        script = draw_script(rollout.shape, seed, ends)
        inputs, after = stacked(script, stacks)
        script.fill(rollout)
        samples = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
        following = rollout.next_observations(samples)
        assert torch.equal(following, after.flatten(0, 1)[samples])
        goes_on = ~script.ended
        assert torch.equal(rollout.next_observations(all_in(goes_on)), inputs[1:][goes_on])
        ended = all_in(script.ended)
        assert torch.equal(rollout.next_observations(ended), rollout.final_observations(ended))
        rollout.carry_over()


@pytest.mark.parametrize("kind", ["terminated", "truncated", "both"])
@pytest.mark.parametrize("stack_size", [1, 2, 4])
def test_a_next_input_is_of_its_samples_own_episode(stack_size: int, kind: str) -> None:
    """Environments differ in the length of episodes: 1, 2, 3, the rollout's, and none that ends."""
    shape = shape_of(stack_size)
    T, N = shape.rollout_steps, shape.num_envs
    steps = torch.arange(1, T + 1).unsqueeze(1)
    ended = steps % torch.tensor([1, 2, 3, T, T + 1]) == 0
    episodes = torch.cat([torch.zeros(1, N, dtype=torch.int64), ended.cumsum(0)])
    frames = episodes.to(torch.uint8).view(T + 1, N, 1, 1, 1).expand(T + 1, N, *ODD_FRAME)
    script = replace(
        draw_script(shape, 0),
        first=frames[0],
        observations=frames[1:],
        finals=frames[:-1],
        terminated=ended if kind != "truncated" else torch.zeros_like(ended),
        truncated=ended if kind != "terminated" else torch.zeros_like(ended),
    )
    rollout = RolloutBuffer(shape, CPU)
    rollout.start(script.first)
    script.fill(rollout)
    samples = torch.arange(T * N)
    following = rollout.next_observations(samples)
    assert torch.equal(following, rollout.observations(samples))
    assert torch.equal(following.flatten(1).amin(1), episodes[:-1].flatten().to(torch.uint8))
    assert torch.equal(following.flatten(1).amax(1), episodes[:-1].flatten().to(torch.uint8))


def all_in(mask: Tensor) -> Tensor:
    """The samples t * N + n where mask [T, N] holds."""
    return mask.flatten().nonzero().flatten()


@pytest.mark.parametrize("ends", [0.0, 0.9])
def test_a_full_rollout_can_be_held_by_another_buffer(ends: float) -> None:
    """With many ends the store of last frames has grown."""
    rollout, other = (RolloutBuffer(shape_of(4), CPU) for _ in range(2))
    rollout.start(draw_script(rollout.shape, 100).first)
    draw_script(rollout.shape, 0, ends).fill(rollout)
    draw_script(rollout.shape, 1, 0.5).fill(other)
    other.restore_contents(rollout.contents())
    assert_same_content(other, rollout)
    other.carry_over()
    rollout.carry_over()
    draw_script(rollout.shape, 2, ends).fill(rollout)
    draw_script(rollout.shape, 2, ends).fill(other)
    assert_same_content(other, rollout)


@pytest.mark.parametrize("T", [5, 7])
def test_contents_of_another_shape_are_refused_and_change_nothing(T: int) -> None:
    rollout, other = RolloutBuffer(shape_of(2), CPU), RolloutBuffer(shape_of(2, T=T), CPU)
    rollout.start(draw_script(rollout.shape, 100).first)
    draw_script(rollout.shape, 0).fill(rollout)
    before = {name: tensor.clone() for name, tensor in rollout.contents().items()}
    with pytest.raises(ValueError, match="of another shape"):
        rollout.restore_contents(other.contents())
    after = rollout.contents()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_it_holds_is_the_sum_of_all_its_tensors() -> None:
    rollout = RolloutBuffer(shape_of(4, FRAME_OF_WORDS, action_shape=(3,)), CPU)
    kept = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in vars(rollout).values()
        if isinstance(tensor, Tensor)
    }
    assert rollout.num_bytes == sum(kept.values())
