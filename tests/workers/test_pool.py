"""The pool against a single process that steps the same environments one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest

from configs.errors import ConfigurationError
from tests.workers.environments.registered.foreign_probes import LENGTH, ManySwitches, Words
from tests.workers.pool_probes import BASE_SEED, NUM_ACTIONS, GameProbe, ProcessProbe, VectorProbe
from workers.environment_pool import EnvironmentPool
from workers.environments.base import Environment
from workers.pool import WorkerPool
from workers.shared.protocol import EpisodeSummary, PoolStateError, StepBatch


@dataclass
class Reference:
    """N environments in this process, stepped in a row: what a pool must equal."""

    make: Callable[[], Environment]
    num_environments: int
    environments: list[Environment] = field(init=False)

    def reset(self) -> np.ndarray[Any, Any]:
        self.environments = [self.make() for _ in range(self.num_environments)]
        self.scores = [0.0] * self.num_environments
        self.lengths = [0] * self.num_environments
        return np.stack(
            [
                environment.reset(seed=BASE_SEED + index)[0]
                for index, environment in enumerate(self.environments)
            ]
        )

    def step(self, actions: np.ndarray[Any, Any]) -> StepBatch:
        rows = []
        episodes = []
        for index, environment in enumerate(self.environments):
            final, reward, terminated, truncated, info = environment.step(actions[index])
            self.scores[index] += float(reward)
            self.lengths[index] += 1
            observation = final
            if terminated or truncated:
                observation, _ = environment.reset()
                if info["game_over"]:
                    episodes.append(self._finish(index, info))
            rows.append((observation, final, np.float32(reward), terminated, truncated))
        observations, finals, rewards, terminations, truncations = map(
            np.array, zip(*rows, strict=True)
        )
        return StepBatch(observations, finals, rewards, terminations, truncations, episodes)

    def _finish(self, index: int, info: dict[str, Any]) -> EpisodeSummary:
        score, length = self.scores[index], self.lengths[index]
        self.scores[index], self.lengths[index] = 0.0, 0
        return EpisodeSummary(index, score, length, info["rooms"], info["metrics"], lost=False)


def some_actions(make: type[Environment], num_environments: int, steps: int) -> list[Any]:
    generator = np.random.default_rng(7)
    if make.environment_spec.discrete:
        return list(generator.integers(0, NUM_ACTIONS, (steps, num_environments)))
    return list(generator.uniform(-1, 1, (steps, num_environments, 2)).astype(np.float32))


def step_all(pool: EnvironmentPool, actions: np.ndarray[Any, Any]) -> StepBatch:
    """Step every group, all of them in flight at once; copy what comes back, joined."""
    groups = [pool.group(index) for index in range(pool.num_groups)]
    for index, rows in enumerate(groups):
        pool.send(index, actions[rows])
    batches = [pool.recv(index) for index in range(pool.num_groups)]
    return StepBatch(
        observations=np.concatenate([batch.observations for batch in batches]),
        final_observations=np.concatenate([batch.final_observations for batch in batches]),
        rewards=np.concatenate([batch.rewards for batch in batches]),
        terminated=np.concatenate([batch.terminated for batch in batches]),
        truncated=np.concatenate([batch.truncated for batch in batches]),
        episodes=[episode for batch in batches for episode in batch.episodes],
    )


def assert_equal(found: StepBatch, wanted: StepBatch) -> None:
    for name in ("observations", "rewards", "terminated", "truncated"):
        ours, theirs = getattr(found, name), getattr(wanted, name)
        assert ours.dtype == theirs.dtype, name
        assert np.array_equal(ours, theirs), name
    ended = wanted.terminated | wanted.truncated
    assert np.array_equal(found.final_observations[ended], wanted.final_observations[ended])
    assert found.episodes == wanted.episodes


@pytest.mark.parametrize(
    ("make", "num_environments", "num_processes", "num_groups"),
    [
        (GameProbe, 5, 1, 1),
        (GameProbe, 7, 3, 1),
        (GameProbe, 4, 1, 2),
        (GameProbe, 7, 3, 2),
        (GameProbe, 2, 8, 2),
        (VectorProbe, 5, 2, 1),
        (VectorProbe, 5, 2, 2),
    ],
)
def test_the_pool_equals_one_process_that_steps_the_same_environments(
    make: type[Environment], num_environments: int, num_processes: int, num_groups: int
) -> None:
    reference = Reference(make, num_environments)
    ended = 0
    with WorkerPool(
        make,
        num_environments=num_environments,
        num_processes=num_processes,
        num_groups=num_groups,
        base_seed=BASE_SEED,
    ) as pool:
        assert pool.spec == make.environment_spec
        assert np.array_equal(pool.reset(), reference.reset())
        for actions in some_actions(make, num_environments, 300):
            found, wanted = step_all(pool, actions), reference.step(actions)
            assert_equal(found, wanted)
            ended += len(wanted.episodes)
        assert pool.worker_restarts == 0
    assert ended > 20


def test_the_final_observation_is_the_ended_episodes_own_and_not_the_next_ones_first() -> None:
    with WorkerPool(GameProbe, num_environments=4, num_processes=2, base_seed=BASE_SEED) as pool:
        pool.reset()
        for actions in some_actions(GameProbe, 4, 40):
            batch = step_all(pool, actions)
            for row in np.flatnonzero(batch.terminated | batch.truncated):
                assert not np.array_equal(batch.final_observations[row], batch.observations[row])


def test_two_pools_of_a_half_each_equal_one_pool_of_all() -> None:
    actions = some_actions(GameProbe, 6, 30)
    with (
        WorkerPool(GameProbe, num_environments=6, num_processes=2, base_seed=BASE_SEED) as whole,
        WorkerPool(GameProbe, num_environments=3, num_processes=1, base_seed=BASE_SEED) as first,
        WorkerPool(
            GameProbe, num_environments=3, num_processes=2, base_seed=BASE_SEED, first_index=3
        ) as second,
    ):
        halves = np.concatenate([first.reset(), second.reset()])
        assert np.array_equal(whole.reset(), halves)
        for action in actions:
            one = step_all(whole, action)
            two = [step_all(first, action[:3]), step_all(second, action[3:])]
            assert np.array_equal(one.observations, np.concatenate([x.observations for x in two]))
            assert np.array_equal(one.rewards, np.concatenate([x.rewards for x in two]))


def test_a_plain_gymnasium_environment_is_stepped_and_shares_no_stream_whoever_it_is_with() -> None:
    shown = []
    for num_processes in (1, 3):
        with WorkerPool(
            partial(Words, "python"), num_environments=3, num_processes=num_processes, base_seed=9
        ) as pool:
            assert pool.spec.observation_shape == (2,)
            seen = [pool.reset().copy()]
            for _ in range(2 * LENGTH):
                seen.append(step_all(pool, np.zeros(3, np.int64)).observations.copy())
            shown.append(np.stack(seen))
    assert np.array_equal(shown[0], shown[1])
    assert len(set(shown[0][:, :, 1].ravel().tolist())) == shown[0][:, :, 1].size


def test_a_plain_environment_that_no_agent_can_use_is_refused_in_its_own_words() -> None:
    with pytest.raises(ConfigurationError, match=r"MultiDiscrete.*TransformAction"):
        WorkerPool(ManySwitches, num_environments=2, num_processes=1, base_seed=9)


def test_a_later_reset_continues_the_random_streams_and_forgets_the_running_scores() -> None:
    with WorkerPool(GameProbe, num_environments=3, num_processes=2, base_seed=BASE_SEED) as pool:
        first = pool.reset().copy()
        step_all(pool, some_actions(GameProbe, 3, 1)[0])
        second = pool.reset().copy()
        assert not np.array_equal(first, second)
        lengths = []
        for actions in some_actions(GameProbe, 3, 12):
            lengths += [episode.length for episode in step_all(pool, actions).episodes]
    assert lengths
    assert max(lengths) <= 12


@pytest.mark.parametrize("num_groups", [1, 2])
def test_a_restored_pool_continues_exactly_whatever_its_number_of_processes(
    num_groups: int,
) -> None:
    actions = some_actions(GameProbe, 5, 60)
    with WorkerPool(
        GameProbe,
        num_environments=5,
        num_processes=2,
        num_groups=num_groups,
        base_seed=BASE_SEED,
    ) as pool:
        pool.reset()
        for action in actions[:25]:
            step_all(pool, action)
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
        wanted = [step_all(pool, action) for action in actions[25:]]
    assert any(batch.episodes for batch in wanted)
    with WorkerPool(
        GameProbe,
        num_environments=5,
        num_processes=3,
        num_groups=num_groups,
        base_seed=BASE_SEED + 99,
    ) as pool:
        pool.reset()
        pool.restore(snapshots)
        for action, batch in zip(actions[25:], wanted, strict=True):
            assert_equal(step_all(pool, action), batch)


def test_an_environment_that_has_no_snapshot_gives_none() -> None:
    with WorkerPool(VectorProbe, num_environments=3, num_processes=2, base_seed=BASE_SEED) as pool:
        pool.reset()
        assert pool.snapshot() == [None, None, None]


def assert_refused(message: str, *calls: Callable[[], object]) -> None:
    for call in calls:
        with pytest.raises(PoolStateError, match=message):
            call()


def test_calls_out_of_order_are_refused_and_say_what_must_come_first() -> None:
    actions = np.zeros(2, np.int64)
    with WorkerPool(
        GameProbe, num_environments=4, num_processes=1, num_groups=2, base_seed=BASE_SEED
    ) as pool:
        send, recv = partial(pool.send, 0, actions), partial(pool.recv, 0)
        assert_refused(r"reset\(\) must come first", send, recv, pool.snapshot)
        pool.reset()
        assert_refused(r"group 1: send\(\) must come first", partial(pool.recv, 1))
        send()
        assert_refused(r"group 0: recv\(\) must come first", send, pool.reset, pool.snapshot)
        pool.send(1, actions)
        recv()
        pool.recv(1)
    assert_refused("the pool is closed", send, recv, pool.reset, pool.snapshot)
    assert issubclass(PoolStateError, RuntimeError)


def test_actions_and_snapshots_of_the_wrong_form_are_refused_before_they_are_sent() -> None:
    with WorkerPool(GameProbe, num_environments=2, num_processes=1, base_seed=BASE_SEED) as pool:
        pool.reset()
        for wrong in (np.zeros(3, np.int64), np.zeros(2, np.float32), np.zeros((2, 1), np.int64)):
            with pytest.raises(ValueError, match=r"actions must be int64 \[2\]"):
                pool.send(0, wrong)
        with pytest.raises(ValueError, match="1 snapshots for 2 environments"):
            pool.restore([b""])
        pool.send(0, np.zeros(2, np.int64))
        pool.recv(0)


def test_workers_load_no_torch_see_no_gpu_ignore_signals_and_use_one_thread() -> None:
    with WorkerPool(ProcessProbe, num_environments=2, num_processes=2, base_seed=BASE_SEED) as pool:
        facts = pool.reset()
    assert facts[:, :4].tolist() == [[0.0, 1.0, 1.0, 1.0]] * 2
