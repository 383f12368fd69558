"""MuJoCo's simulators: Gymnasium's own numbers, exact snapshots, frames that show something."""

import builtins
import importlib.util
import sys
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.make import make_environment
from workers.environments.mujoco import WITH_SNAPSHOTS, MujocoEnvironment

needs_mujoco = pytest.mark.skipif(
    importlib.util.find_spec("mujoco") is None, reason="mujoco is not installed"
)


def build(env_id: str = "Hopper-v5", **settings: Any) -> MujocoEnvironment:
    size = {"frame_height": 64, "frame_width": 64}
    environment = make_environment(
        EnvironmentSection(env_type="mujoco", env_id=env_id, **{**size, **settings})
    )
    assert isinstance(environment, MujocoEnvironment)
    return environment


def drawing(**settings: Any) -> MujocoEnvironment:
    """One that is drawn; the test is skipped where nothing draws."""
    environment = build(observation_type="pixels", **settings)
    try:
        environment.reset(seed=0)
    except ConfigurationError as error:
        pytest.skip(str(error))
    return environment


def actions_for(environment: MujocoEnvironment, count: int, seed: int) -> list[Any]:
    size = environment.environment_spec.num_actions
    return list(np.random.default_rng(seed).uniform(-1, 1, (count, size)).astype(np.float32))


def play(environment: MujocoEnvironment, actions: list[Any]) -> list[tuple[Any, ...]]:
    seen = []
    for action in actions:
        observation, *rest = environment.step(action)
        seen.append((observation.tobytes(), environment.state().tobytes(), *rest[:3]))
        if rest[1] or rest[2]:
            seen.append((environment.reset()[0].tobytes(),))
    return seen


@needs_mujoco
def test_steps_and_ends_equal_those_of_gymnasium() -> None:
    environment, reference = build(), gymnasium.make("Hopper-v5")
    found, (wanted, _) = environment.reset(seed=4)[0], reference.reset(seed=4)
    np.testing.assert_array_equal(found, wanted.astype(np.float32))
    ends = 0
    for action in actions_for(environment, 200, seed=0):
        found, reward, *flags, _ = environment.step(action)
        wanted, wanted_reward, *wanted_flags, _ = reference.step(action)
        np.testing.assert_array_equal(found, wanted.astype(np.float32))
        assert (reward, flags) == (float(wanted_reward), wanted_flags)
        if any(flags):
            ends += 1
            np.testing.assert_array_equal(
                environment.reset()[0], reference.reset()[0].astype(np.float32)
            )
    assert ends >= 2


@needs_mujoco
@pytest.mark.parametrize(
    "env_id",
    [
        pytest.param(env_id, marks=() if env_id == "Hopper-v5" else pytest.mark.slow)
        for env_id in WITH_SNAPSHOTS
    ],
)
def test_a_fresh_environment_continues_exactly_from_a_snapshot(env_id: str) -> None:
    environment = build(env_id)
    environment.reset(seed=9)
    play(environment, actions_for(environment, 37, seed=0))
    fresh = build(env_id)
    fresh.reset(seed=1)
    fresh.restore(environment.snapshot())
    assert fresh.state().tobytes() == environment.state().tobytes()
    actions = actions_for(environment, 120, seed=1)
    assert play(fresh, actions) == play(environment, actions)
    assert fresh.snapshot() == environment.snapshot()


@needs_mujoco
def test_those_whose_state_lacks_something_say_so() -> None:
    assert not build("Ant-v5").environment_spec.can_snapshot


@needs_mujoco
def test_frames_show_the_hopper_and_go_on_exactly_after_a_snapshot() -> None:
    environment, fresh = drawing(frame_colour="rgb"), drawing(frame_colour="rgb")
    observation, _ = environment.reset(seed=0)
    assert observation.shape == (3, 64, 64)
    assert observation.dtype == np.uint8
    assert 20 < observation.mean() < 235
    assert observation.std() > 10
    play(environment, actions_for(environment, 7, seed=0))
    fresh.restore(environment.snapshot())
    actions = actions_for(environment, 10, seed=1)
    assert play(fresh, actions) == play(environment, actions)
    environment.close()
    environment.close()
    fresh.close()


@needs_mujoco
def test_a_picture_of_one_colour_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = drawing()
    monkeypatch.setattr(environment, "_is_drawing", False)
    black = np.zeros((64, 64, 3), np.uint8)
    monkeypatch.setattr(environment._simulator, "render", lambda: black)
    with pytest.raises(ConfigurationError, match="a picture of one colour alone"):
        environment.reset(seed=0)
    monkeypatch.undo()
    environment.close()


@needs_mujoco
def test_where_nothing_draws_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = build()

    def fails(mode: str) -> None:
        raise RuntimeError("no such thing as a display")

    monkeypatch.setattr(environment._simulator.mujoco_renderer, "_get_viewer", fails)
    environment.reset(seed=0)
    with pytest.raises(ConfigurationError, match="apt-get install libegl1"):
        environment.render()


@needs_mujoco
def test_the_numbers_of_a_hopper_are_named_by_its_joints() -> None:
    names = build().environment_spec.state_names
    assert names[:2] == ("position_rootz", "position_rooty")
    assert names[5] == "velocity_rootx"
    assert len(names) == 11


def test_an_unknown_id_is_told_with_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Hopper-v4 is not of EnvType = mujoco; .*Hopper-v5"
    ):
        build("Hopper-v4")


def test_without_mujoco_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = ("mujoco", "gymnasium.envs.mujoco")
    for name in [name for name in sys.modules if name.startswith(packages)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", partial(_without_mujoco, builtins.__import__))
    with pytest.raises(ConfigurationError, match=r"pip install -r requirements-mujoco\.txt"):
        build()


def _without_mujoco(genuine: Any, name: str, *arguments: Any, **options: Any) -> Any:
    if name.partition(".")[0] == "mujoco":
        raise ModuleNotFoundError("No module named 'mujoco'", name="mujoco")
    return genuine(name, *arguments, **options)
