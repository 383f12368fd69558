"""A replay buffer gives back what was lived: never two episodes in one step, whatever wraps."""

from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.replay.frame_replay import FrameReplay
from agents.replay.replay import Batch, Step
from agents.replay.vector_replay import VectorReplay
from tests.agents.replay.walks import FRAME, A, as_frames, first_of, lives, numbers_of
from training.checkpoints.storage import pack

CPU = torch.device("cpu")
NOT_LOST = torch.zeros(1, dtype=torch.bool)
LIVES = {
    "seed": st.integers(0, 10_000),
    "num_envs": st.integers(1, 3),
    "num_steps": st.integers(1, 60),
    "capacity": st.integers(3, 50),
}


@dataclass
class Lived:
    """What is known of a step by the number of its observation."""

    following: float
    continues: float
    episode_start: int


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(seed: int, num_envs: int, num_steps: int, capacity: int) -> VectorReplay:
    replay = VectorReplay(capacity, 1, A, CPU)
    replay.start(first_of(num_envs))
    for step in lives(seed, num_envs, num_steps):
        replay.add(step)
    return replay


def frames(
    seed: int, num_envs: int, num_steps: int, capacity: int, stack_size: int = 3
) -> FrameReplay:
    replay = FrameReplay(capacity, num_envs, FRAME, stack_size, A, CPU)
    replay.start(as_frames(first_of(num_envs)))
    for step in lives(seed, num_envs, num_steps):
        replay.add(in_frames(step))
    return replay


def in_frames(step: Step) -> Step:
    return step._replace(
        observations=as_frames(step.observations),
        next_observations=as_frames(step.next_observations),
        new_observations=as_frames(step.new_observations),
    )


def lived(seed: int, num_envs: int, num_steps: int) -> dict[int, Lived]:
    """Return all that happened, the newest steps last."""
    known: dict[int, Lived] = {}
    starts = first_of(num_envs).long().flatten().tolist()
    for step in lives(seed, num_envs, num_steps):
        ended = (step.terminated | step.truncated).tolist()
        for n in range(num_envs):
            here = int(step.observations[n])
            known[here] = Lived(
                float(step.next_observations[n]), float(not step.terminated[n]), starts[n]
            )
            if ended[n]:
                starts[n] = int(step.new_observations[n])
    return known


@settings(deadline=None, max_examples=40)
@given(**LIVES)
def test_a_drawn_row_is_a_step_that_was_lived_and_not_forgotten(
    seed: int, num_envs: int, num_steps: int, capacity: int
) -> None:
    replay = vectors(seed, num_envs, num_steps, capacity)
    known = lived(seed, num_envs, num_steps)
    remembered = set(list(known)[-capacity:])
    for batch in replay.sample(2, 40, stream()):
        for b in range(40):
            here = int(batch.observations[b])
            assert here in remembered
            assert float(batch.actions[b]) == float(batch.rewards[b]) == here
            assert float(batch.next_observations[b]) == known[here].following
            assert float(batch.continues[b]) == known[here].continues


@settings(deadline=None, max_examples=40)
@given(**LIVES, stack_size=st.integers(1, 4))
def test_a_drawn_stack_lies_within_one_episode_and_repeats_its_first_frame(
    seed: int, num_envs: int, num_steps: int, capacity: int, stack_size: int
) -> None:
    replay = frames(seed, num_envs, num_steps, capacity, stack_size)
    known = lived(seed, num_envs, num_steps)
    (batch,) = replay.sample(1, 40, stream())
    before, after = numbers_of(batch.observations), numbers_of(batch.next_observations)
    for b in range(40):
        here = int(before[b, -1])
        start = known[here].episode_start
        stack = [max(here - back, start) for back in range(stack_size - 1, -1, -1)]
        assert before[b].tolist() == stack
        assert after[b].tolist() == [*stack[1:], int(known[here].following)]
        assert float(batch.actions[b]) == float(batch.rewards[b]) == here
        assert float(batch.continues[b]) == known[here].continues


def test_an_episode_that_is_cut_goes_on_for_the_target_and_one_that_ends_does_not() -> None:
    replay = VectorReplay(4, 1, A, CPU)
    one = torch.ones(1, 1)
    for terminated, truncated in ((True, False), (False, True), (True, True), (False, False)):
        flags = (torch.tensor([terminated]), torch.tensor([truncated]))
        replay.add(Step(one, one, torch.ones(1), *flags, one, one, NOT_LOST))
    (batch,) = replay.sample(1, 100, stream())
    assert set(batch.continues.tolist()) == {0.0, 1.0}
    assert replay.state()["rows"][:, 3].tolist() == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("capacity", [20, 400])
def test_a_step_that_was_lost_with_its_worker_is_never_drawn(capacity: int) -> None:
    lived: list[Step] = list(lives(4, 3, 60, lost_share=0.3))
    first, *later = lived
    lost = {int(n) for step in later for n in step.observations[step.lost]}
    kept = sum(int((~step.lost).sum()) for step in later) + len(first.lost)
    one, other = VectorReplay(capacity, 1, A, CPU), FrameReplay(capacity, 3, FRAME, 3, A, CPU)
    other.start(as_frames(first_of(3)))
    for step in lived:
        one.add(step)
        other.add(in_frames(step))
    assert len(lost) > 20
    for replay in (one, other):
        assert replay.num_added == kept
        (batch,) = replay.sample(1, 2_000, stream())
        assert lost.isdisjoint(batch.rewards.long().tolist())


def test_a_first_step_that_was_lost_is_kept_so_that_there_is_something_to_draw() -> None:
    (step,) = lives(4, 2, 1, lost_share=1.0)
    one, other = VectorReplay(9, 1, A, CPU), FrameReplay(9, 2, FRAME, 3, A, CPU)
    one.add(step)
    other.start(as_frames(first_of(2)))
    other.add(in_frames(step))
    for replay in (one, other):
        (batch,) = replay.sample(1, 50, stream())
        assert set(batch.rewards.tolist()) == {0.0, 200.0}


@pytest.mark.parametrize("make", [vectors, frames])
def test_every_step_is_as_likely_as_any_other(make: object) -> None:
    replay = make(3, 2, 60, 40)  # type: ignore[operator] # either
    (batch,) = replay.sample(1, 40_000, stream())
    counts = Counter(batch.rewards.tolist())
    expected = 40_000 / len(counts)
    assert max(abs(count - expected) for count in counts.values()) < 6 * expected**0.5


@pytest.mark.parametrize("make", [vectors, frames])
@pytest.mark.parametrize("num_steps", [5, 20, 47])
def test_what_is_restored_draws_and_goes_on_as_what_was_saved(make: object, num_steps: int) -> None:
    arguments = (1, 2, num_steps, 30)
    saved, fresh = make(*arguments), make(1, 2, 0, 30)  # type: ignore[operator] # either
    state = {name: value.clone() for name, value in saved.state().items()}
    assert fresh.restore(state)
    more = [in_frames(s) if make is frames else s for s in lives(9, 2, 7)]
    for replay in (saved, fresh):
        for step in more:
            replay.add(step)
    one, other = saved.sample(3, 20, stream(5)), fresh.sample(3, 20, stream(5))
    for batch, again in zip(one, other, strict=True):
        for part, name in zip(batch, Batch._fields, strict=True):
            assert torch.equal(part, getattr(again, name))


@pytest.mark.parametrize("num_envs", [1, 2])
@pytest.mark.parametrize("make", [vectors, frames])
def test_what_is_saved_of_a_large_buffer_is_as_large_as_what_was_lived(
    make: object, num_envs: int
) -> None:
    replay = make(1, num_envs, 20, 200_000)  # type: ignore[operator] # either
    assert len(pack(replay.state())) < 10_000


def test_a_smaller_buffer_takes_the_newest_steps() -> None:
    small = VectorReplay(10, 1, A, CPU)
    assert small.restore(vectors(0, 1, 40, 30).state())
    known = list(lived(0, 1, 40))
    (batch,) = small.sample(1, 300, stream())
    assert set(batch.rewards.long().tolist()) == set(known[-10:])


def test_what_belongs_to_other_observations_is_refused() -> None:
    with pytest.raises(ValueError, match="has 5 numbers, not 7"):
        VectorReplay(10, 2, A, CPU).restore(vectors(0, 1, 5, 30).state())
    other = FrameReplay(30, 1, (1, 3, 3), 3, A, CPU)
    with pytest.raises(ValueError, match="holds frames"):
        other.restore(frames(0, 1, 5, 30).state())


def test_frames_of_another_number_of_environments_are_not_taken() -> None:
    assert not frames(0, 2, 0, 30).restore(frames(0, 1, 5, 30).state())
