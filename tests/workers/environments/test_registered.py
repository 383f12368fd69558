"""Any registered id: what an agent can use works, the rest is refused with the reason."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.registered import RegisteredEnvironment

MODULE = "tests.workers.environments.registered_probes"


def build(env_id: str, **options: Any) -> RegisteredEnvironment:
    settings = {"max_episode_steps": "auto", **options}
    return RegisteredEnvironment(
        EnvironmentSection(env_type="gymnasium", env_id=env_id, **settings)
    )


def last_action(environment: RegisteredEnvironment) -> Any:
    simulator: Any = environment._simulator.unwrapped
    return simulator.last_action


def test_a_module_is_imported_and_its_matrix_is_flattened() -> None:
    environment = build(f"{MODULE}:ScoutMatrix-v0")
    observation, _ = environment.reset(seed=0)
    assert observation.shape == environment.environment_spec.observation_shape == (6,)
    assert observation.dtype == np.float32
    assert environment.environment_spec.observation_low == (-1.0,) * 6
    assert not environment.environment_spec.can_snapshot


def test_choices_are_counted_from_the_start_of_their_space() -> None:
    environment = build(f"{MODULE}:ScoutMatrix-v0")
    environment.reset(seed=0)
    assert environment.environment_spec.num_actions == 3
    assert environment.action_space == gymnasium.spaces.Discrete(3)
    for choice in range(3):
        environment.step(np.int64(choice))
        assert last_action(environment) == choice - 1


def test_an_image_becomes_a_frame_and_continuous_actions_are_flattened_and_clipped() -> None:
    environment = build(f"{MODULE}:ScoutImage-v0", observation_type="pixels")
    observation, _ = environment.reset(seed=0)
    assert observation.shape == environment.environment_spec.observation_shape == (1, 84, 84)
    assert observation.dtype == np.uint8
    assert environment.environment_spec.num_actions == 4
    assert environment.environment_spec.action_low == (-1.0,) * 4
    assert environment.action_space.shape == (4,)
    _, reward, *_ = environment.step(np.array([0.5, -7, 7, 0], np.float32))
    assert last_action(environment).tolist() == [[0.5, -1.0], [1.0, 0.0]]
    assert type(reward) is float


def test_the_registered_limit_truncates_unless_the_configuration_has_one() -> None:
    for cap, expected in (("auto", 7), (4, 4)):
        environment = build(f"{MODULE}:ScoutMatrix-v0", max_episode_steps=cap)
        environment.reset(seed=0)
        steps = 1
        while not environment.step(0)[3]:
            steps += 1
        assert steps == expected


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("Dictionary", {}, "Dict.*FlattenObservation"),
        ("Pair", {}, "Tuple.*FlattenObservation"),
        ("Image", {}, "ObservationType = pixels"),
        ("Matrix", {"observation_type": "pixels"}, "ObservationType = state"),
        ("ManyActions", {}, "MultiDiscrete.*ActionWrapper"),
        ("WholeActions", {}, "int64.*ActionWrapper"),
    ],
)
def test_what_an_agent_cannot_use_is_refused_with_the_reason(
    name: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        build(f"{MODULE}:Scout{name}-v0", **options)


@pytest.mark.parametrize("env_id", ["CartPole-v99", "NoSuchGame-v0", "no_such_module:Game-v0"])
def test_an_unknown_id_is_refused(env_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be made.*module:id"):
        build(env_id)


def test_the_same_seed_gives_the_same_steps_and_pictures_are_drawn() -> None:
    seen = []
    for _ in range(2):
        environment = build("MountainCarContinuous-v0")
        first, _ = environment.reset(seed=3)
        steps = [environment.step(np.array([5.0], np.float32))[0] for _ in range(20)]
        seen.append(np.stack([first, *steps]))
    assert np.array_equal(seen[0], seen[1])
    assert environment.render().shape == (400, 600, 3)
    environment.close()


def test_an_environment_without_pictures_says_so() -> None:
    environment = build(f"{MODULE}:ScoutMatrix-v0")
    environment.reset(seed=0)
    with pytest.raises(ConfigurationError, match="no pictures"):
        environment.render()
