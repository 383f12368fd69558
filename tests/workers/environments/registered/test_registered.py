"""Any registered id: what an agent can use works, the rest is refused with the reason."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from tests.workers.environments.registered.foreign_probes import Lamp
from tests.workers.environments.registered.registered_probes import Echo, Words
from workers.environments.registered.registered import RegisteredEnvironment, adapted

MODULE = "tests.workers.environments.registered.registered_probes"


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


def test_a_limit_that_meets_an_end_of_its_own_truncates_nothing() -> None:
    def last_flags(cap: int | str) -> tuple[int, tuple[bool, bool]]:
        pole = build("CartPole-v1", max_episode_steps=cap)
        pole.reset(seed=0)
        steps, flags = 0, (False, False)
        while not any(flags):
            flags, steps = pole.step(0)[2:4], steps + 1
        return steps, flags

    steps, flags = last_flags("auto")
    assert flags == (True, False)
    assert last_flags(steps) == (steps, (True, False))
    assert last_flags(steps - 1) == (steps - 1, (False, True))


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("Dictionary", {}, "Dict.*FlattenObservation"),
        ("Pair", {}, "Tuple.*FlattenObservation"),
        ("Image", {}, "ObservationType = pixels"),
        ("Matrix", {"observation_type": "pixels"}, "ObservationType = state"),
        ("ManyActions", {}, "MultiDiscrete.*TransformAction"),
        ("WholeActions", {}, "int64.*TransformAction"),
    ],
)
def test_what_an_agent_cannot_use_is_refused_with_the_reason(
    name: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        build(f"{MODULE}:Scout{name}-v0", **options)


BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)


def hinted(message: str) -> str:
    """Return the expression in a message that wraps an environment."""
    (code,) = re.findall(
        r"wrap it in (gymnasium\..*?\))(?:, or take a part| *, and register)", message
    )
    return str(code)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Dict(a=BOX, b=spaces.Discrete(3)),
        spaces.Tuple((BOX, spaces.MultiBinary(2))),
        spaces.Discrete(4),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.OneOf((BOX, spaces.Discrete(2))),
    ],
    ids=lambda space: type(space).__name__,
)
def test_the_wrapper_hinted_at_makes_a_vector_of_any_observation(space: Any) -> None:
    env = Echo(observations=space, actions=spaces.Discrete(2))
    with pytest.raises(ConfigurationError) as caught:
        adapted(env)
    wrapped = adapted(eval(hinted(str(caught.value)), {"gymnasium": gymnasium, "env": env}))
    wrapped.reset(seed=0)
    assert wrapped.step(0)[0].shape == wrapped.environment_spec.observation_shape


@pytest.mark.parametrize(
    ("space", "num_choices"),
    [
        (spaces.MultiDiscrete([2, 3], start=[5, 0]), 6),
        (spaces.MultiDiscrete(np.array([[2, 3], [2, 2]])), 24),
        (spaces.MultiBinary((2, 2)), 16),
        (spaces.Box(3, 9, (2,), np.int64), None),
        (spaces.Dict(a=BOX, b=spaces.Tuple((BOX,))), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_wrapper_hinted_at_makes_actions_that_an_agent_can_use(
    space: Any, num_choices: int | None
) -> None:
    env = Echo(observations=BOX, actions=space)
    with pytest.raises(ConfigurationError) as caught:
        adapted(env)
    code = hinted(str(caught.value))
    wrapped = adapted(eval(code, {"gymnasium": gymnasium, "np": np, "env": env}))
    wrapped.reset(seed=0)
    wrapped.action_space.seed(0)
    actions: list[Any] = [wrapped.action_space.sample() for _ in range(5)]
    if num_choices is not None:
        assert wrapped.environment_spec.num_actions == num_choices
        actions = list(range(num_choices))
    taken = []
    for action in actions:
        wrapped.step(action)  # the environment refuses what its space does not hold
        taken.append(str(env.last_action))
    assert len(set(taken)) >= (num_choices or 3)


@pytest.mark.parametrize(
    ("observations", "actions", "reason"),
    [
        (None, spaces.Discrete(2), r"has None for its observation_space: it must be a space of"),
        (BOX, np.zeros(2), r"has a numpy.ndarray for its action_space: it must be a space of"),
        (spaces.Box(-1, 1, (0,)), spaces.Discrete(2), "holds no number to learn from"),
        (spaces.Box(-1, 1, (3, 0)), spaces.Discrete(2), "holds no number to learn from"),
        (BOX, spaces.Box(-1, 1, (0,)), "which hold nothing to decide"),
        (BOX, spaces.MultiDiscrete(np.array([[2, 3], [2, 2]])), "the kind MultiDiscrete"),
        (spaces.Box(np.zeros((40, 40, 3)), 255.0), spaces.Discrete(2), "observes images"),
    ],
)
def test_spaces_that_are_none_or_hold_nothing_are_refused_in_one_line(
    observations: Any, actions: Any, reason: str
) -> None:
    section = EnvironmentSection(env_type="gymnasium", env_id="Echo-v0")
    with pytest.raises(ConfigurationError, match=reason) as caught:
        RegisteredEnvironment(section, Echo(observations=observations, actions=actions))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("odd", [Words(), spaces.Sequence(BOX)], ids=["of its own", "Sequence"])
def test_parts_of_which_there_is_no_vector_are_left_out_by_the_wrapper_hinted_at(odd: Any) -> None:
    env = Echo(
        observations=spaces.Dict(task=odd, grid=BOX, facing=spaces.Discrete(4)),
        actions=spaces.Discrete(2),
    )
    with pytest.raises(ConfigurationError, match=r"that leaves out task$") as caught:
        adapted(env)
    wrapped = adapted(eval(hinted(str(caught.value)), {"gymnasium": gymnasium, "env": env}))
    assert wrapped.environment_spec.observation_shape == (6,)
    wrapped.reset(seed=0)
    assert wrapped.step(0)[0].shape == (6,)


@pytest.mark.parametrize("name", ["Vector", "VectorAsOne"])
def test_a_vector_of_environments_is_refused_as_that(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no environment of Gymnasium's.*not a vector"):
        build(f"{MODULE}:Scout{name}-v0")


@pytest.mark.parametrize(
    ("name", "mode"),
    [("Drawing", None), ("AlwaysDrawing", "human"), ("CartPoleOnScreen", "rgb_array")],
)
def test_nothing_is_drawn_for_people_unless_it_cannot_be_helped(
    name: str, mode: str | None
) -> None:
    environment = build(f"{MODULE}:Scout{name}-v0")
    assert environment._simulator.render_mode == mode
    environment.close()


@pytest.mark.parametrize("kind", [spaces.Sequence(BOX), spaces.Graph(BOX, None), Words()])
def test_no_wrapper_is_promised_where_none_works(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"no fixed size.*TransformObservation"):
        adapted(Echo(observations=kind, actions=spaces.Discrete(2)))
    with pytest.raises(ConfigurationError, match=r"TransformAction with a function of yours"):
        adapted(Echo(observations=BOX, actions=kind))


def test_an_environment_of_states_shows_its_pictures_under_the_wrapper_hinted_at() -> None:
    with pytest.raises(ConfigurationError, match=r"AddRenderObservation\(env\)"):
        build("CartPole-v1", observation_type="pixels")
    simulator = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    environment = adapted(gymnasium.wrappers.AddRenderObservation(simulator))
    assert environment.reset(seed=0)[0].shape == (1, 84, 84)
    environment.close()


def test_the_limit_that_holds_is_told() -> None:
    assert build("Pendulum-v1").environment_spec.max_episode_steps == 200
    assert build("Pendulum-v1", max_episode_steps=30).environment_spec.max_episode_steps == 30
    assert adapted(Lamp()).environment_spec.max_episode_steps is None
    inner = gymnasium.wrappers.TimeLimit(Lamp(), 4)
    assert adapted(gymnasium.wrappers.TimeLimit(inner, 9)).environment_spec.max_episode_steps == 4


def test_a_module_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with pytest.raises(ConfigurationError, match=rf"current folder \({tmp_path}\).*PYTHONPATH"):
        build("lamp_of_this_folder:FolderLamp-v0")
    (tmp_path / "lamp_of_this_folder.py").write_text(
        "import gymnasium\nfrom tests.workers.environments.registered.foreign_probes import Lamp\n"
        "gymnasium.register(id='FolderLamp-v0', entry_point=Lamp)\n"
    )
    importlib.invalidate_caches()
    assert build("lamp_of_this_folder:FolderLamp-v0").environment_spec.num_actions == 2


def test_a_package_that_the_module_itself_lacks_is_not_taken_for_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As gym is, which older games import."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "game_of_old.py").write_text("import no_such_gym.spaces\n")
    importlib.invalidate_caches()
    with pytest.raises(ConfigurationError, match=r"needs a package: .*no_such_gym") as caught:
        build("game_of_old:Game-v0")
    assert "module:id" not in str(caught.value)


def test_a_class_that_is_none_of_gymnasiums_is_named() -> None:
    stranger: Any = object
    gymnasium.register(id="ScoutStranger-v0", entry_point=stranger)
    with pytest.raises(ConfigurationError, match=r"no environment of Gymnasium's.*before"):
        build("ScoutStranger-v0")


@pytest.mark.parametrize(
    ("env_id", "newest"),
    [
        ("CartPole-v99", "CartPole-v1"),
        ("gymnasium:LunarLander-v2", "gymnasium:LunarLander-v3"),
        ("Hopper-v2", "Hopper-v5"),
    ],
)
def test_a_version_that_is_not_there_is_answered_by_the_newest(env_id: str, newest: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made") as caught:
        build(env_id)
    assert str(caught.value).endswith(f"the newest version is EnvID = {newest}")
    assert "PYTHONPATH" not in str(caught.value)


@pytest.mark.parametrize("env_id", ["NoSuchGame-v0", "no_such_module:Game-v0"])
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
