"""CartPoles and MountainCars at once against each of them alone: the same to the last bit."""

import functools
import math
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv, MountainCarEnv
from numpy.typing import NDArray

from configs.schema import EnvironmentSection
from workers.environments.base import Environment
from workers.environments.classic_control.classic_control import ClassicControlEnvironment
from workers.environments.classic_control.vector_control import (
    KINDS,
    CartPoles,
    MountainCars,
    Moved,
    States,
    batch_of,
    is_exact,
)
from workers.environments.make import make_environment
from workers.in_process import InProcessPool
from workers.shared.protocol import WorkerError
from workers.stepping.row_snapshots import RowSnapshot

N, STEPS, SEED = 8, 5_000, 40
CART_POLE, MOUNTAIN_CAR = "CartPole-v1", "MountainCar-v0"


def section_of(env_id: str, **options: Any) -> EnvironmentSection:
    settings = {"env_type": "classic_control", "max_episode_steps": "auto", **options}
    return EnvironmentSection(env_id=env_id, **settings)


def make_pool(section: EnvironmentSection, **options: Any) -> InProcessPool:
    settings = {"num_environments": N, "base_seed": SEED, **options}
    return InProcessPool(functools.partial(make_environment, section), **settings)


class Alone:
    """The same environments, one after the other, without any pool."""

    def __init__(self, section: EnvironmentSection) -> None:
        self.environments: list[Environment] = [make_environment(section) for _ in range(N)]
        self.begins = [each.reset(seed=SEED + i)[0] for i, each in enumerate(self.environments)]

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """Return observations after resets, final ones, rewards and both flags."""
        rows = []
        for each, action in zip(self.environments, actions.tolist(), strict=True):
            final, reward, terminated, truncated, _ = each.step(action)
            seen = each.reset()[0] if terminated or truncated else final
            rows.append((seen, final, np.float32(reward), terminated, truncated))
        return tuple(map(np.array, zip(*rows, strict=True)))


def held(generator: np.random.Generator, num_actions: int) -> NDArray[np.int64]:
    """Actions [STEPS, N] that are held for a while now and then, so that cars come up the hill."""
    actions = generator.integers(num_actions, size=(STEPS, N))
    actions[1000:3000] = np.repeat(actions[1000:3000:40], 40, axis=0)
    return actions


@pytest.mark.parametrize(
    ("env_id", "limit"), [(CART_POLE, "auto"), (CART_POLE, 13), (MOUNTAIN_CAR, "auto")]
)
def test_random_play_with_its_ends_and_snapshots_is_that_of_each_alone(
    env_id: str, limit: int | str
) -> None:
    section = section_of(env_id, max_episode_steps=limit)
    alone = Alone(section)
    ends = np.zeros(2, np.int64)
    with make_pool(section) as pool:
        actions = held(np.random.default_rng(3), pool.spec.num_actions)
        assert pool.reset().tobytes() == np.stack(alone.begins).tobytes()
        for index, action in enumerate(actions):
            pool.send(0, action)
            batch = pool.recv(0)
            seen, final, rewards, terminated, truncated = alone.step(action)
            assert batch.observations.tobytes() == seen.tobytes(), index
            assert batch.rewards.tobytes() == rewards.tobytes()
            assert batch.terminated.tobytes() == terminated.tobytes()
            assert batch.truncated.tobytes() == truncated.tobytes()
            ended = terminated | truncated
            assert batch.final_observations[ended].tobytes() == final[ended].tobytes()
            assert [each.environment for each in batch.episodes] == np.flatnonzero(ended).tolist()
            ends += terminated.sum(), truncated.sum()
            if index % 500 == 7:
                rows = [RowSnapshot.unpack(each) for each in pool.snapshot() if each is not None]
                assert [row.environment for row in rows] == [
                    each.snapshot() for each in alone.environments
                ]
                assert b"".join(row.observation for row in rows) == seen.tobytes()
    assert ends.sum() > 100
    assert ends[1] > 0 or (env_id, limit) == (CART_POLE, "auto")


@pytest.mark.parametrize("env_id", [CART_POLE, MOUNTAIN_CAR])
def test_it_goes_on_from_snapshots_and_keeps_them_as_they_were(env_id: str) -> None:
    section = section_of(env_id, max_episode_steps=30)
    with make_pool(section) as pool, make_pool(section, base_seed=9, num_groups=2) as other:
        actions = np.random.default_rng(4).integers(pool.spec.num_actions, size=(80, N))
        pool.reset()
        for action in actions[:25]:
            pool.send(0, action)
            pool.recv(0)
        snapshots = [each for each in pool.snapshot() if each is not None]
        later = pool.capture()
        other.reset()
        other.restore(snapshots)
        for action in actions[25:]:
            pool.send(0, action)
            wanted = pool.recv(0)
            for group in (0, 1):
                other.send(group, action[other.group(group)])
                found = other.recv(group)
                rows = other.group(group)
                assert found.observations.tobytes() == wanted.observations[rows].tobytes()
                assert found.truncated.tolist() == wanted.truncated[rows].tolist()
        assert later() == snapshots
        assert pool.snapshot() != snapshots
        assert pool.snapshot() == other.snapshot()


def test_only_states_of_these_two_are_stepped_at_once() -> None:
    kinds = {
        CART_POLE: True,
        "CartPole-v0": True,
        MOUNTAIN_CAR: True,
        "MountainCarContinuous-v0": False,
        "Acrobot-v1": False,
        "Pendulum-v1": False,
    }
    for env_id, is_stepped in kinds.items():
        environment = make_environment(section_of(env_id))
        assert (environment.together([environment]) is not None) == is_stepped, env_id
    seen = make_environment(section_of(CART_POLE, observation_type="pixels"))
    assert seen.together([seen]) is None


def test_an_action_that_there_is_not_is_refused() -> None:
    with make_pool(section_of(CART_POLE)) as pool:
        pool.reset()
        pool.send(0, np.full(N, 2))
        with pytest.raises(WorkerError, match=r"actions must lie in \[0, 2\)"):
            pool.recv(0)


class OtherCosine(MountainCars):
    """The same equations on a machine whose cosine differs in the last bit."""

    def step(self, states: States, actions: NDArray[np.int64]) -> Moved:
        moved = super().step(states, actions)
        moved.states[1, 250] = math.nextafter(moved.states[1, 250], 1.0)
        return moved


class HeavierPole(CartPoleEnv):
    """A simulator whose equations are not those of today."""

    def step(self, action: Any) -> Any:
        self.polemass_length = 0.06
        return super().step(action)  # type: ignore[no-untyped-call]


def test_a_last_bit_that_differs_is_found_at_the_start() -> None:
    assert is_exact(CartPoleEnv, CartPoles)
    assert is_exact(MountainCarEnv, MountainCars)
    assert not is_exact(MountainCarEnv, OtherCosine)
    assert not is_exact(HeavierPole, CartPoles)


def test_where_it_is_not_exact_the_environments_are_stepped_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, MountainCarEnv, OtherCosine)
    environment = ClassicControlEnvironment(section_of(MOUNTAIN_CAR))
    assert batch_of([environment]) is None
