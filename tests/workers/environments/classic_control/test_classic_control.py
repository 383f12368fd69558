"""Classic control: gymnasium's own numbers, legal actions, pixels, and bit-exact snapshots."""

import sys
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
import pytest

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.classic_control.classic_control import ClassicControlEnvironment

IDS = ["CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1", "Pendulum-v1"]
CONTINUOUS = {"MountainCarContinuous-v0", "Pendulum-v1"}


def build(env_id: str, **options: Any) -> ClassicControlEnvironment:
    settings = {"max_episode_steps": "auto", **options}
    return ClassicControlEnvironment(
        EnvironmentSection(env_type="classic_control", env_id=env_id, **settings)
    )


def actions_for(environment: ClassicControlEnvironment, count: int, seed: int) -> list[Any]:
    generator = np.random.default_rng(seed)
    spec = environment.environment_spec
    if spec.discrete:
        return [int(action) for action in generator.integers(spec.num_actions, size=count)]
    # Three times as wide as the bounds, so that clipping matters.
    return list(3 * generator.standard_normal((count, spec.num_actions)).astype(np.float32))


def play(environment: ClassicControlEnvironment, actions: Iterable[Any]) -> list[tuple[Any, ...]]:
    seen = []
    for action in actions:
        observation, *rest = environment.step(action)
        seen.append((observation.tobytes(), *rest))
        if rest[1] or rest[2]:
            seen.append((environment.reset()[0].tobytes(),))
    return seen


@pytest.mark.parametrize("env_id", IDS)
def test_steps_and_ends_equal_those_of_gymnasium(env_id: str) -> None:
    environment, reference = build(env_id), gymnasium.make(env_id)
    expected, _ = reference.reset(seed=4)
    found, _ = environment.reset(seed=4)
    assert found.tobytes() == expected.tobytes()
    space: Any = reference.action_space
    ends = 0
    for action in actions_for(environment, 1100, seed=0):
        legal = action
        if env_id in CONTINUOUS:  # bounds of one size, up to which an output of 1 reaches
            legal = np.clip(space.high * action, space.low, space.high)
        expected, *expected_rest = reference.step(legal)
        found, *found_rest = environment.step(action)
        assert found_rest[0] == pytest.approx(expected_rest[0], rel=1e-6)
        assert found_rest[1:3] == expected_rest[1:3]
        if found_rest[1] or found_rest[2]:
            ends += 1
            expected, _ = reference.reset()
            found, _ = environment.reset()
        assert found.tobytes() == expected.tobytes()
    assert ends >= 1


@pytest.mark.parametrize("env_id", IDS)
def test_a_fresh_environment_continues_exactly_from_a_snapshot(env_id: str) -> None:
    environment = build(env_id)
    environment.reset(seed=9)
    play(environment, actions_for(environment, 137, seed=0))
    fresh = build(env_id)
    fresh.restore(environment.snapshot())
    actions = actions_for(environment, 1200, seed=1)
    assert play(fresh, actions) == play(environment, actions)
    assert fresh.snapshot() == environment.snapshot()


@pytest.mark.parametrize("env_id", IDS)
def test_a_snapshot_right_after_a_reset_continues_exactly(env_id: str) -> None:
    environment, fresh = build(env_id), build(env_id)
    environment.reset(seed=9)
    fresh.restore(environment.snapshot())
    actions = actions_for(environment, 300, seed=1)
    assert play(fresh, actions) == play(environment, actions)


def test_the_spec_tells_bounds_and_actions() -> None:
    pendulum = build("Pendulum-v1").environment_spec
    assert not pendulum.discrete
    assert (pendulum.action_low, pendulum.action_high) == ((-2.0,), (2.0,))
    assert pendulum.observation_high == (1.0, 1.0, 8.0)
    cart_pole = build("CartPole-v1").environment_spec
    assert cart_pole.discrete
    assert cart_pole.num_actions == 2
    assert cart_pole.observation_high[1] == np.inf
    assert cart_pole.frame_skip == 1
    assert cart_pole.can_snapshot


def test_the_cap_of_the_configuration_wins_over_the_registered_one() -> None:
    environment = build("MountainCar-v0", max_episode_steps=3)
    environment.reset(seed=0)
    assert [environment.step(1)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]


def test_an_end_at_the_cap_is_a_termination_not_a_truncation() -> None:
    environment = build("CartPole-v1")
    environment.reset(seed=0)
    steps = 1
    while not environment.step(0)[2]:
        steps += 1
    environment = build("CartPole-v1", max_episode_steps=steps)
    environment.reset(seed=0)
    flags = [environment.step(0)[2:4] for _ in range(steps)]
    assert flags[-1] == (True, False)


def test_pixels_are_grey_frames_of_the_picture_that_is_rendered() -> None:
    environment = build("CartPole-v1", observation_type="pixels", frame_height=60)
    observation, _ = environment.reset(seed=0)
    moved = [environment.step(1)[0] for _ in range(5)][-1]
    assert observation.shape == environment.environment_spec.observation_shape == (1, 60, 84)
    assert observation.dtype == np.uint8
    assert environment.environment_spec.observation_low == ()
    assert not np.array_equal(observation, moved)
    assert environment.render().shape == (400, 600, 3)
    environment.close()
    environment.close()


def test_pixels_continue_exactly_from_a_snapshot() -> None:
    environment = build("Pendulum-v1", observation_type="pixels")
    environment.reset(seed=0)
    play(environment, actions_for(environment, 3, seed=0))
    fresh = build("Pendulum-v1", observation_type="pixels")
    fresh.restore(environment.snapshot())
    assert np.array_equal(fresh.render(), environment.render())
    actions = actions_for(environment, 5, seed=1)
    assert play(fresh, actions) == play(environment, actions)


def test_a_missing_drawing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    environment = build("MountainCar-v0", observation_type="pixels")
    with pytest.raises(ConfigurationError, match="pygame"):
        environment.reset(seed=0)


@pytest.mark.parametrize("env_id", ["CartPole-v7", "LunarLander-v3", "Pong-v4"])
def test_an_id_of_another_family_is_refused_with_those_there_are(env_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CartPole-v1.*Pendulum-v1.*gymnasium"):
        build(env_id)
