"""States and labels beside observations: of every family, through wrappers, and from a pool."""

import importlib.util
import os
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from configs.schema import EnvironmentSection
from tests.workers.environments.test_make import PACKAGES, SECTIONS
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.environments.states import HasLabels, HasState, label_source, state_source
from workers.in_process import InProcessPool
from workers.pool import WorkerPool

WITH_STATE = [family for family in SECTIONS if family not in ("mario", "gymnasium")]
AS_OBSERVED = [
    *(("classic_control", f"{name}") for name in ("CartPole-v1", "Acrobot-v1", "Pendulum-v1")),
    ("box2d", "LunarLander-v3"),
    ("sprites", "SpritesState-v1"),
    ("mujoco", "Hopper-v5"),
]


class Telling(gymnasium.Env[Any, Any]):
    """A registered environment that tells its state and labels: the step, and its half."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    state_names = ("step",)
    label_names = ("half", "always_one")

    def __init__(self) -> None:
        self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        return np.zeros(1, np.float32), 0.0, self._step == 3, False, {}

    def state(self) -> np.ndarray[Any, Any]:
        return np.array([self._step], np.float32)

    def labels(self) -> np.ndarray[Any, Any]:
        return np.array([self._step / 2, 1.0], np.float32)


class Leaving(Telling):
    """Ends its process in its second step, once: `marker` is a file that says that it has."""

    def __init__(self, marker: Path) -> None:
        super().__init__()
        self._marker = marker

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self._step == 1 and not self._marker.exists():
            self._marker.touch()
            os._exit(1)
        return super().step(action)


def wrapped() -> gymnasium.Env[Any, Any]:
    return gymnasium.wrappers.TimeLimit(gymnasium.wrappers.ClipReward(Telling(), 0, 1), 50)


def an_action(environment: Environment, seed: int) -> Any:
    spec, draw = environment.environment_spec, np.random.default_rng(seed)
    if spec.discrete:
        return int(draw.integers(spec.num_actions))
    return draw.uniform(-1, 1, spec.num_actions).astype(np.float32)


@pytest.mark.parametrize("family", WITH_STATE)
def test_every_family_tells_a_state_of_as_many_numbers_as_names(family: str) -> None:
    if importlib.util.find_spec(PACKAGES.get(family, "numpy")) is None:
        pytest.skip(f"{PACKAGES[family]} is not installed")
    environment = make_environment(SECTIONS[family])
    environment.reset(seed=0)
    first = environment.state().copy()
    for seed in range(4):
        environment.step(an_action(environment, seed))
    state, spec = environment.state(), environment.environment_spec
    assert state.dtype == np.float32
    assert state.shape == (len(spec.state_names),)
    assert len(set(spec.state_names)) == len(spec.state_names) > 0
    assert np.isfinite(state).all()
    assert not np.array_equal(first, state)
    assert environment.labels().shape == (len(spec.label_names),)
    environment.close()


@pytest.mark.parametrize(("family", "env_id"), AS_OBSERVED)
def test_the_state_is_what_is_observed_where_states_are(family: str, env_id: str) -> None:
    if importlib.util.find_spec(PACKAGES.get(family, "numpy")) is None:
        pytest.skip(f"{PACKAGES[family]} is not installed")
    section = EnvironmentSection(env_type=family, env_id=env_id, max_episode_steps="auto")
    environment = make_environment(section)
    observation, _ = environment.reset(seed=3)
    np.testing.assert_array_equal(environment.state(), observation)
    for seed in range(5):
        observation, *_ = environment.step(an_action(environment, seed))
        np.testing.assert_array_equal(environment.state(), observation)
    environment.close()


def test_states_and_labels_are_found_through_wrappers() -> None:
    environment = wrapped()
    state: Any = state_source(environment)
    labels: Any = label_source(environment)
    assert isinstance(state, HasState)
    assert isinstance(labels, HasLabels)
    assert id(state) == id(labels) == id(environment.unwrapped)
    assert state_source(gymnasium.make("CartPole-v1")) is None


@pytest.mark.parametrize("processes", [0, 2])
def test_a_pool_hands_out_the_states_that_go_with_its_observations(processes: int) -> None:
    pool: WorkerPool | InProcessPool
    if processes:
        pool = WorkerPool(
            wrapped, num_environments=4, num_processes=2, base_seed=0, with_states=True
        )
    else:
        pool = InProcessPool(wrapped, num_environments=4, base_seed=0, with_states=True)
    with pool:
        assert (pool.spec.state_names, pool.spec.label_names) == (("step",), ("half", "always_one"))
        pool.reset()
        assert pool.states(0).tolist() == [[0.0]] * 4
        for step in (1, 2, 3):
            pool.send(0, np.zeros(4, np.int64))
            batch = pool.recv(0)
            assert batch.states.tolist() == pool.states(0).tolist() == [[step % 3]] * 4
            assert batch.labels.tolist() == pool.labels(0).tolist() == [[step % 3 / 2, 1.0]] * 4
        assert batch.terminated.all()
        assert batch.final_states.tolist() == [[3.0]] * 4
        assert batch.final_labels.tolist() == [[1.5, 1.0]] * 4


def test_a_pool_that_steps_at_once_tells_states_all_the_same() -> None:
    section = EnvironmentSection(env_type="classic_control", env_id="CartPole-v1")
    make = partial(make_environment, section)
    with InProcessPool(make, num_environments=6, base_seed=0, with_states=True) as pool:
        observations = pool.reset()
        np.testing.assert_array_equal(pool.states(0), observations)
        for step in range(60):
            pool.send(0, np.full(6, step % 3 > 0, np.int64))
            batch = pool.recv(0)
            ended = batch.terminated | batch.truncated
            np.testing.assert_array_equal(batch.states, batch.observations)
            np.testing.assert_array_equal(
                batch.final_states[ended], batch.final_observations[ended]
            )


def test_a_lost_game_ends_with_its_last_known_state(tmp_path: Path) -> None:
    make = partial(Leaving, tmp_path / "left")
    with WorkerPool(
        make, num_environments=1, num_processes=1, base_seed=0, with_states=True
    ) as pool:
        pool.reset()
        for _ in range(2):
            pool.send(0, np.zeros(1, np.int64))
            batch = pool.recv(0)
        assert pool.worker_restarts == 1
        assert batch.truncated.all()
        assert batch.final_states.tolist() == [[1.0]]
        assert batch.final_labels.tolist() == [[0.5, 1.0]]
        assert batch.states.tolist() == [[0.0]]


def test_a_pool_hands_out_no_states_unless_asked() -> None:
    with InProcessPool(wrapped, num_environments=3, base_seed=0) as pool:
        pool.reset()
        assert pool.states(0).shape == (3, 0)
        pool.send(0, np.zeros(3, np.int64))
        assert pool.recv(0).labels.shape == (3, 0)
