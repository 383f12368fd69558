"""Box2D's simulators: Gymnasium's own scores, exact snapshots by replay, actions and frames."""

import builtins
import importlib.util
import sys
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from configs.errors import CheckpointError, ConfigurationError
from configs.schema import EnvironmentSection
from training.probing.centroids import centroid_errors, centroids
from training.recording.background import without_background
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.environments.parts.preprocessing import picture_frame

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("Box2D") is None, reason="Box2D is not installed"
)
CAR, LANDER, GLIDER = "CarRacing-v3", "LunarLander-v3", "LunarLanderContinuous-v3"


def build(env_id: str, **settings: Any) -> Any:
    size = {"frame_height": 64, "frame_width": 64}
    return make_environment(
        EnvironmentSection(env_type="box2d", env_id=env_id, **{**size, **settings})
    )


def actions_for(environment: Environment, count: int, seed: int) -> list[Any]:
    """Actions that differ a little from step to step, so that a car gets somewhere."""
    draw = np.random.default_rng(seed)
    spec = environment.environment_spec
    if spec.discrete:
        return list(np.repeat(draw.integers(spec.num_actions, size=count // 5 + 1), 5)[:count])
    held = draw.uniform(-1, 1, (count // 5 + 1, spec.num_actions))
    return list(np.repeat(held, 5, axis=0)[:count].astype(np.float32))


def play(environment: Environment, actions: list[Any]) -> list[tuple[Any, ...]]:
    """Everything that is seen, episode after episode."""
    seen = []
    for action in actions:
        observation, *rest = environment.step(action)
        seen.append((observation.tobytes(), environment.state().tobytes(), *rest[:3]))
        if rest[1] or rest[2]:
            seen.append((environment.reset()[0].tobytes(),))
    return seen


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (CAR, {}),
        (CAR, {"renderer": "stock", "action_space": "discrete"}),
        (LANDER, {}),
        (GLIDER, {}),
        (GLIDER, {"observation_type": "pixels"}),
        (LANDER, {"action_space": "continuous"}),
    ],
)
def test_rewards_and_ends_equal_those_of_gymnasium(env_id: str, settings: dict[str, Any]) -> None:
    environment = build(env_id, **settings)
    discrete = environment.environment_spec.discrete
    kind = {"continuous": not discrete} if "action_space" in settings else {}
    reference = gymnasium.make(env_id, disable_env_checker=True, **kind)
    if env_id == CAR:  # its physics alone
        reference.unwrapped._render = lambda mode: None  # type: ignore[attr-defined]
    environment.reset(seed=6)
    reference.reset(seed=6)
    space: Any = reference.action_space
    is_drawn_slowly = bool({"renderer", "observation_type"} & set(settings))
    for action in actions_for(environment, 60 if is_drawn_slowly else 250, seed=1):
        own = action
        if not discrete:
            low, high = space.low.astype(np.float64), space.high.astype(np.float64)
            own = ((low + high) / 2 + (high - low) / 2 * action).astype(np.float32)
        _, reward, terminated, truncated, _ = environment.step(action)
        _, wanted, *ends = reference.step(own)[:4]
        assert (reward, terminated, truncated) == (float(wanted), *ends)
        if terminated or truncated:
            environment.reset()
            reference.reset()


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (CAR, {"frame_colour": "rgb"}),
        (CAR, {"action_space": "discrete"}),
        (LANDER, {}),
        (GLIDER, {"observation_type": "pixels"}),
    ],
)
def test_a_fresh_environment_continues_exactly_from_a_snapshot(
    env_id: str, settings: dict[str, Any]
) -> None:
    environment = build(env_id, **settings)
    environment.reset(seed=2)
    play(environment, actions_for(environment, 40, seed=0))
    environment.reset()  # an episode in a world that was used
    play(environment, actions_for(environment, 65, seed=1))
    fresh = build(env_id, **settings)
    fresh.reset(seed=99)
    snapshot = environment.snapshot()
    fresh.restore(snapshot)
    assert fresh.state().tobytes() == environment.state().tobytes()
    assert fresh.snapshot() == snapshot
    actions = actions_for(environment, 40 if "observation_type" in settings else 150, seed=2)
    assert play(fresh, actions) == play(environment, actions)
    assert fresh.snapshot() == environment.snapshot()


@pytest.mark.slow
@pytest.mark.parametrize("env_id", [CAR, LANDER, GLIDER])
def test_whole_episodes_replay_exactly(env_id: str) -> None:
    for seed in range(6):
        environment, fresh = build(env_id), build(env_id)
        environment.reset(seed=seed)
        play(environment, actions_for(environment, 900, seed=seed))
        fresh.restore(environment.snapshot())
        actions = actions_for(environment, 300, seed=seed + 100)
        assert play(fresh, actions) == play(environment, actions)


def test_a_snapshot_of_another_environment_is_refused() -> None:
    lander, glider = build(LANDER), build(GLIDER)
    lander.reset(seed=0)
    with pytest.raises(CheckpointError, match="LunarLander"):
        glider.restore(lander.snapshot())


def test_a_snapshot_before_the_first_step_starts_the_same_episode() -> None:
    environment, fresh = build(LANDER), build(LANDER)
    environment.reset(seed=3)
    fresh.restore(environment.snapshot())
    actions = actions_for(environment, 30, seed=0)
    assert play(fresh, actions) == play(environment, actions)


def test_drawing_a_lander_leaves_its_physics_alone_and_is_done_once_a_step() -> None:
    drawn, blind = build(LANDER), build(LANDER)
    drawn.reset(seed=1)
    blind.reset(seed=1)
    for action in actions_for(drawn, 120, seed=3):
        one, other = drawn.step(action), blind.step(action)
        assert one[0].tobytes() == other[0].tobytes()
        assert drawn.render() is drawn.render()
        if one[2] or one[3]:
            assert drawn.reset()[0].tobytes() == blind.reset()[0].tobytes()


def test_the_sparks_of_a_landers_engines_hardly_move_the_centre_of_what_is_drawn() -> None:
    """No state tells of them: what is drawn from the state alone is off by this at least.

    Where little is seen of the lander, at the edge of the picture, they count for more.
    """
    lander = build(
        GLIDER, observation_type="pixels", frame_colour="rgb", frame_height=128, frame_width=128
    )
    lander.reset(seed=1)
    random, pairs, ended = np.random.default_rng(1), [], False
    while not ended:
        seen, _, *ends, _ = lander.step(random.uniform(-1, 1, 2).astype(np.float32))
        sparks, lander.simulator.particles = lander.simulator.particles, []
        bare = picture_frame(lander.simulator.render(), 128, 128, colour="rgb")
        lander.simulator.particles = sparks
        pairs.append((seen, bare))
        ended = any(ends)
    frames = [np.moveaxis(np.stack(each), 1, -1) for each in zip(*pairs, strict=True)]
    apart = [torch.from_numpy(without_background(each) / 510).movedim(-1, 1) for each in frames]
    errors = centroid_errors(*(centroids(each, torch.zeros(3, 128, 128), 0.1) for each in apart))
    assert len(errors.distances) > 60
    assert 0 < errors.distances.median() < 0.3


def test_frames_are_grey_or_red_green_and_blue() -> None:
    grey, colour = build(CAR), build(CAR, frame_colour="rgb")
    one, other = grey.reset(seed=0)[0], colour.reset(seed=0)[0]
    assert (one.shape, other.shape) == ((1, 64, 64), (3, 64, 64))
    assert one.dtype == other.dtype == np.uint8
    weighed = np.tensordot((0.299, 0.587, 0.114), other.astype(np.float64), 1)
    assert np.abs(weighed - one[0]).max() <= 1.5
    lander = build(GLIDER, observation_type="pixels", frame_colour="rgb")
    assert lander.reset(seed=0)[0].shape == (3, 64, 64)
    assert lander.render().shape == (400, 600, 3)


def test_a_car_that_turns_right_says_so_in_its_state() -> None:
    environment = build(CAR)
    environment.reset(seed=0)
    for _ in range(25):
        environment.step(np.array([1.0, 1.0, -1.0], np.float32))
    told = dict(zip(environment.state_names, environment.state().tolist(), strict=True))
    assert told["steering_angle"] < 0  # Box2D counts angles to the left
    assert told["spin"] < 0
    assert np.hypot(told["velocity_x"], told["velocity_y"]) > 1
    assert 0 < told["visited_share"] < 0.1


def test_an_episode_is_cut_at_the_ids_own_limit_or_the_recipes() -> None:
    assert build(CAR).environment_spec.max_episode_steps == 1000
    environment = build(LANDER, max_episode_steps=3)
    environment.reset(seed=0)
    assert [environment.step(0)[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("env_id", "settings", "told"),
    [
        ("CarRacing-v2", {}, "CarRacing-v2 is not of EnvType = box2d; there are CarRacing-v3"),
        (CAR, {"observation_type": "state"}, "has pixels only, not ObservationType = state"),
    ],
)
def test_what_cannot_be_is_told(env_id: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        build(env_id, **settings)


@pytest.mark.parametrize("env_id", [CAR, LANDER])
def test_without_box2d_the_message_says_what_to_install(
    env_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("Box2D", "gymnasium.envs.box2d"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("car_racing", "car_racing_picture", "lunar_lander"):
        monkeypatch.delitem(sys.modules, f"workers.environments.box2d.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", partial(_without_box2d, builtins.__import__))
    with pytest.raises(ConfigurationError, match="pip install box2d pygame-ce"):
        build(env_id)


def _without_box2d(genuine: Any, name: str, *arguments: Any, **options: Any) -> Any:
    if name.partition(".")[0] == "Box2D":
        raise ModuleNotFoundError("No module named 'Box2D'", name="Box2D")
    return genuine(name, *arguments, **options)


REPEATED = [
    (CAR, {"action_mapping": "clip"}),
    (LANDER, {}),
    (GLIDER, {"observation_type": "pixels"}),
]


@pytest.mark.parametrize(("env_id", "settings"), REPEATED)
def test_an_action_that_is_repeated_is_the_same_as_taken_several_times(
    env_id: str, settings: dict[str, Any]
) -> None:
    single, threefold = build(env_id, **settings), build(env_id, action_repeat=3, **settings)
    assert (single.reset(seed=4)[0] == threefold.reset(seed=4)[0]).all()
    assert threefold.environment_spec.frame_skip == 3
    for action in actions_for(single, 40, seed=2):
        seen, total, ended = None, 0.0, False
        for _ in range(3):
            seen, reward, ended, _, _ = single.step(action)
            total += reward
            if ended:
                break
        found, reward, terminated, truncated, _ = threefold.step(action)
        assert (reward, terminated, truncated) == (pytest.approx(total), ended, False)
        if ended:
            break
        assert (found == seen).all()
    single.close()
    threefold.close()


@pytest.mark.parametrize("action_repeat", [6, 7])
def test_the_flames_are_as_old_where_an_episode_ends_before_the_last_repeat(
    action_repeat: int,
) -> None:
    settings = {"observation_type": "pixels"}
    single = build(GLIDER, **settings)
    repeated = build(GLIDER, action_repeat=action_repeat, **settings)
    single.reset(seed=4)
    repeated.reset(seed=4)
    main_engine, ended = np.array([1.0, 0.2], np.float32), False
    while not ended:
        found, _, ended, _, _ = repeated.step(main_engine)
        times, single_ended = 0, False
        while times < action_repeat and not single_ended:
            seen, _, single_ended, _, _ = single.step(main_engine)
            times += 1
        assert (found == seen).all()
    assert times < action_repeat
    single.close()
    repeated.close()


@pytest.mark.parametrize(("env_id", "settings"), REPEATED)
def test_a_snapshot_goes_on_with_repeated_actions(env_id: str, settings: dict[str, Any]) -> None:
    one, other = (build(env_id, action_repeat=2, **settings) for _ in range(2))
    one.reset(seed=7)
    play(one, actions_for(one, 20, seed=3))
    snapshot = one.snapshot()
    wanted = play(one, actions_for(one, 20, seed=4))
    other.reset(seed=8)
    other.restore(snapshot)
    assert play(other, actions_for(one, 20, seed=4)) == wanted
    one.close()
    other.close()


def test_the_simulators_own_limit_counts_its_steps_and_the_recipes_counts_env_steps() -> None:
    whole = build(LANDER, action_repeat=3)
    assert whole.environment_spec.max_episode_steps == 334  # of 1000
    capped = build(CAR, action_repeat=3, max_episode_steps=5)
    capped.reset(seed=1)
    ends = [capped.step(np.zeros(3, np.float32))[3] for _ in range(5)]
    assert ends == [False] * 4 + [True]
    assert capped.environment_spec.max_episode_steps == 5
    whole.close()
    capped.close()
