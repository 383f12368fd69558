"""What the collector puts into a rollout, against the same environments stepped in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

import pytest
import torch
from torch import Tensor

from agents.ppo.acting import Decision
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import DequeStacks
from training.loop.collector import Collector, learning_reward
from training.loop.stopwatch import Stopwatch
from workers.environments.probes import CountingEnvironment
from workers.pool import WorkerPool
from workers.shared.protocol import EpisodeSummary

T, N, S = 7, 5, 3
FRAME = (1, 3, 4)
SEED = 40
LENGTHS = (2, 3, 1, 4)
DECIDED = Decision._fields[:4]  # without a memory
SHAPE = RolloutShape(T, N, S, FRAME, torch.uint8, ())


def choose(observations: Tensor) -> Decision:
    """Decide by all that is seen and by nothing else."""
    seen = observations.flatten(1).long()
    weighted = (seen * torch.arange(1, seen.shape[1] + 1)).sum(dim=1)
    return Decision(weighted % 4, -weighted.float(), 2.0 * weighted, 3.0 * weighted)


def never() -> bool:
    return False


@contextmanager
def collecting(
    kind: Literal["raw", "sign", "goal"] = "raw", num_groups: int = 1
) -> Iterator[tuple[WorkerPool, RolloutBuffer, Collector]]:
    """Open a pool of counting environments in two processes, and what fills a rollout from it."""
    with WorkerPool(
        partial(CountingEnvironment, LENGTHS, frame_shape=FRAME),
        num_environments=N,
        num_processes=2,
        num_groups=num_groups,
        base_seed=SEED,
    ) as pool:
        rollout = RolloutBuffer(SHAPE, torch.device("cpu"))
        yield pool, rollout, Collector(pool, rollout, kind, Stopwatch())


class Reference:
    """The same environments, one after the other, with their frames in deques."""

    def __init__(self) -> None:
        self.environments = [CountingEnvironment(LENGTHS, frame_shape=FRAME) for _ in range(N)]
        first = [
            torch.from_numpy(environment.reset(seed=SEED + index)[0])
            for index, environment in enumerate(self.environments)
        ]
        self.stacks = DequeStacks(torch.stack(first), S)

    def step(self) -> dict[str, Tensor]:
        """Step all environments once; return all that a rollout keeps of it."""
        inputs = self.stacks.input()
        decision = choose(inputs)
        steps = [
            environment.step(int(action))
            for environment, action in zip(self.environments, decision.actions, strict=True)
        ]
        frames = torch.stack([torch.from_numpy(step[0]) for step in steps])
        terminated, truncated = (torch.tensor([step[i] for step in steps]) for i in (2, 3))
        after = self.stacks.input_after(frames)
        observations = frames.clone()
        for index in (terminated | truncated).nonzero().flatten().tolist():
            observations[index] = torch.from_numpy(self.environments[index].reset()[0])
        self.stacks.push(observations, terminated | truncated)
        return {
            "inputs": inputs,
            "next_frames": frames,
            "after": after,
            "rewards": torch.tensor([step[1] for step in steps]),
            "terminated": terminated,
            "truncated": truncated,
            **{name: getattr(decision, name) for name in DECIDED},
        }

    def rollout(self) -> dict[str, Tensor]:
        """Step T times; [T, N, ...] of everything."""
        steps = [self.step() for _ in range(T)]
        return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}


def assert_holds(rollout: RolloutBuffer, expected: dict[str, Tensor]) -> None:
    samples = torch.arange(T * N)
    inputs, frames, after = (
        expected[name].flatten(0, 1) for name in ("inputs", "next_frames", "after")
    )
    assert torch.equal(rollout.observations(samples), inputs)
    assert torch.equal(rollout.next_frames(samples), frames)
    ended = (expected["terminated"] | expected["truncated"]).flatten().nonzero().flatten()
    assert len(ended) > N
    assert torch.equal(rollout.final_observations(ended), after[ended])
    for name in ("rewards", "terminated", "truncated", *DECIDED):
        assert torch.equal(getattr(rollout, name), expected[name]), name


@pytest.mark.parametrize("num_groups", [1, 2])
def test_every_number_lies_where_it_belongs_over_three_rollouts(num_groups: int) -> None:
    """Trap 5; and two groups, one acted on while the other steps, collect what one does."""
    reference, episodes = Reference(), []
    with collecting(num_groups=num_groups) as (_, rollout, collector):
        collector.start()
        for _ in range(3):
            complete, finished = collector.collect(choose, never)
            assert complete
            episodes += finished
            assert_holds(rollout, reference.rollout())
            rollout.carry_over()
    assert sorted(map(score_of, episodes)) == expected_scores(3 * T)


def score_of(episode: EpisodeSummary) -> tuple[int, int, float]:
    return episode.environment, episode.length, episode.score


def expected_scores(steps: int) -> list[tuple[int, int, float]]:
    """Episodes of `LENGTHS` in turn, in every environment; only ended ones are told."""
    lengths: list[int] = []
    while sum(lengths) + LENGTHS[len(lengths) % len(LENGTHS)] <= steps:
        lengths.append(LENGTHS[len(lengths) % len(LENGTHS)])
    return sorted((env, L, L * (L + 1) / 2) for env in range(N) for L in lengths)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("raw", [-3.0, 0.0, 0.5, 7.0]),
        ("sign", [-1.0, 0.0, 1.0, 1.0]),
        ("goal", [0.0, 1.0, 0.0, 1.0]),
    ],
)
def test_the_reward_to_learn_from_is_raw_its_sign_or_the_goal(
    kind: Literal["raw", "sign", "goal"], expected: list[float]
) -> None:
    rewards = torch.tensor([-3.0, 0.0, 0.5, 7.0])
    terminated = torch.tensor([False, True, False, True])
    learnt = learning_reward(rewards, terminated, kind)
    assert learnt.tolist() == expected
    assert learnt.dtype == torch.float32
    assert rewards.tolist() == [-3.0, 0.0, 0.5, 7.0]


def test_the_rollout_holds_the_goal_and_the_episodes_the_raw_score() -> None:
    """A truncation is no goal."""
    expected = Reference().rollout()
    with collecting("goal") as (_, rollout, collector):
        collector.start()
        _, episodes = collector.collect(choose, never)
        assert torch.equal(rollout.rewards, expected["terminated"].float())
        assert not rollout.rewards[expected["truncated"]].any()
    assert sorted(map(score_of, episodes)) == expected_scores(T)


def stop_after(steps: int) -> Callable[[], bool]:
    """Say no `steps` times, then yes."""
    answers = iter([False] * steps + [True] * T)
    return lambda: next(answers)


@pytest.mark.parametrize("steps", [0, 3, T - 1])
@pytest.mark.parametrize("num_groups", [1, 2])
def test_a_stop_on_the_way_leaves_the_pool_ready_for_anything(num_groups: int, steps: int) -> None:
    """A snapshot, a step, a fresh start: nothing is still on its way."""
    with collecting(num_groups=num_groups) as (pool, rollout, collector):
        collector.start()
        complete, _ = collector.collect(choose, stop_after(steps))
        assert not complete
        assert len(pool.snapshot()) == N
        collector.start()
        complete, _ = collector.collect(choose, never)
        assert complete
        assert rollout.observations(torch.arange(T * N)).shape == (T * N, S, 3, 4)
