"""MiniGrid: the package's rules, our own drawing, the same map every time, exact snapshots."""

import json
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from configs.checks.contradictions import contradictions
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config, EnvironmentSection

pytest.importorskip("minigrid", reason="minigrid is not installed (requirements-study.txt)")

from workers.environments.minigrid.minigrid import ACTIONS, MiniGridEnvironment

FOUR_ROOMS, TWO_ROOMS = "MiniGrid-MultiRoom-N4-S5-v1", "MiniGrid-MultiRoom-N2-S4-v0"


def build(env_id: str = FOUR_ROOMS, **options: Any) -> MiniGridEnvironment:
    settings = {"max_episode_steps": "auto", "frame_height": 75, "frame_width": 75, **options}
    return MiniGridEnvironment(
        EnvironmentSection(
            env_type="minigrid", env_id=env_id, observation_type="pixels", **settings
        )
    )


def reference(env_id: str = FOUR_ROOMS, layout_seed: int = 0) -> Any:
    simulator: Any = gymnasium.make(env_id, disable_env_checker=True).unwrapped
    simulator.reset(seed=layout_seed)
    return simulator


def random_actions(count: int, seed: int = 0) -> list[int]:
    return [int(action) for action in np.random.default_rng(seed).integers(4, size=count)]


def play(environment: MiniGridEnvironment, actions: list[int]) -> list[tuple[Any, ...]]:
    seen: list[tuple[Any, ...]] = []
    for action in actions:
        frame, *rest = environment.step(action)
        seen.append((frame.tobytes(), *rest))
        if rest[1] or rest[2]:
            frame, info = environment.reset()
            seen.append((frame.tobytes(), info))
    return seen


def way_to_the_end(environment: MiniGridEnvironment) -> list[int]:
    """The shortest way from the start to a termination, by breadth-first search."""

    def place(snapshot: bytes) -> str:
        state = json.loads(snapshot)["state"]
        return json.dumps([state["position"], state["direction"], state["open_doors"]])

    environment.reset()
    start = environment.snapshot()
    ways: list[tuple[bytes, list[int]]] = [(start, [])]
    known = {place(start)}
    for snapshot, way in ways:
        for action in range(len(ACTIONS)):
            environment.restore(snapshot)
            _, _, terminated, _, _ = environment.step(action)
            if terminated:
                return [*way, action]
            reached = environment.snapshot()
            if place(reached) not in known:
                known.add(place(reached))
                ways.append((reached, [*way, action]))
    raise AssertionError("no end can be reached")


def drawn_from_scratch(simulator: Any) -> NDArray[np.uint8]:
    """The frame of 3 x 3 pixels to a cell, from the package's cells alone."""
    frame = np.zeros((3 * simulator.height, 3 * simulator.width), np.uint8)
    wedges = (
        ((1, 0, 0), (1, 1, 1), (1, 0, 0)),
        ((1, 1, 1), (0, 1, 0), (0, 1, 0)),
        ((0, 0, 1), (1, 1, 1), (0, 0, 1)),
        ((0, 1, 0), (0, 1, 0), (1, 1, 1)),
    )
    for y in range(simulator.height):
        for x in range(simulator.width):
            cell, has_agent = simulator.grid.get(x, y), (x, y) == tuple(simulator.agent_pos)
            if cell is None and not has_agent:
                continue
            tile = np.zeros((3, 3), np.uint8)
            if cell is not None:
                tile[:] = {"wall": 96, "door": 144, "goal": 192}[cell.type]
                if cell.type == "door" and cell.is_open:
                    tile[1, 1] = 0
            if has_agent:
                tile[np.array(wedges[simulator.agent_dir], bool)] = 255
            frame[3 * y : 3 * y + 3, 3 * x : 3 * x + 3] = tile
    return frame


@pytest.mark.parametrize("env_id", [FOUR_ROOMS, TWO_ROOMS])
def test_steps_scores_and_ends_are_the_packages_and_frames_show_every_cell(env_id: str) -> None:
    environment, simulator = build(env_id), reference(env_id)
    way = way_to_the_end(environment) if env_id == TWO_ROOMS else []
    frame, _ = environment.reset(seed=0)
    ends = []
    for action in [*way, *random_actions(100)]:
        assert np.array_equal(frame[0], drawn_from_scratch(simulator))
        frame, reward, terminated, truncated, _ = environment.step(action)
        _, expected, expected_goal, expected_cap, _ = simulator.step(ACTIONS[action])
        assert (reward, terminated) == (expected, expected_goal)
        assert truncated == (expected_cap and not expected_goal)
        if terminated or truncated:
            ends.append(terminated)
            frame, _ = environment.reset()
            simulator.reset(seed=0)
    assert ends[:2] == ([True, False] if way else [False])


def test_the_goal_is_scored_by_the_steps_it_took_and_rooms_are_counted_on_the_way() -> None:
    environment = build(TWO_ROOMS)
    way = way_to_the_end(environment)
    _, info = environment.reset()
    assert info == {"rooms": (0,), "metrics": {"rooms": 1.0}}
    steps = [environment.step(action) for action in way]
    assert [step[1] for step in steps[:-1]] == [0.0] * (len(way) - 1)
    _, reward, terminated, truncated, info = steps[-1]
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(1 - 0.9 * len(way) / 40)
    assert info == {"rooms": (0, 1), "metrics": {"rooms": 2.0}}


def test_the_cap_of_the_configuration_wins_over_the_packages_and_scales_its_score() -> None:
    way = way_to_the_end(build(TWO_ROOMS))
    longer, exact = (build(TWO_ROOMS, max_episode_steps=cap) for cap in (2 * len(way), len(way)))
    for environment in (longer, exact):
        environment.reset()
    assert [longer.step(action)[1] for action in way][-1] == pytest.approx(1 - 0.9 / 2)
    _, reward, terminated, truncated, _ = [exact.step(action) for action in way][-1]
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(0.1)
    short = build(TWO_ROOMS, max_episode_steps=3)
    short.reset()
    assert [short.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]


def test_every_episode_has_the_map_of_the_layout_seed_whatever_the_seed() -> None:
    environment, other = build(layout_seed=3), build(layout_seed=4)
    first, _ = environment.reset(seed=0)
    play(environment, random_actions(100))
    assert np.array_equal(environment.reset()[0], first)
    assert np.array_equal(environment.reset(seed=9)[0], first)
    assert np.array_equal(first[0], drawn_from_scratch(reference(layout_seed=3)))
    assert not np.array_equal(other.reset(seed=0)[0], first)


def test_a_frame_is_the_callers_own_and_larger_frames_keep_the_map_in_the_middle() -> None:
    environment = build(frame_height=84, frame_width=160)
    frame, _ = environment.reset(seed=0)
    kept = frame.copy()
    environment.step(0)
    assert np.array_equal(frame, kept)
    assert frame.shape == environment.environment_spec.observation_shape == (1, 84, 160)
    top, left = (84 - 75) // 2, (160 - 75) // 2
    inner = frame[0, top : top + 75, left : left + 75]
    assert np.array_equal(inner, drawn_from_scratch(reference()))
    assert np.count_nonzero(frame) == np.count_nonzero(inner)


def test_noise_is_drawn_per_episode_from_the_seed_on_empty_cells_alone() -> None:
    plain, noisy, again = build(), build(nuisance="noise"), build(nuisance="noise")
    quiet, (frame, _) = plain.reset(seed=5)[0], noisy.reset(seed=5)
    assert np.array_equal(frame, again.reset(seed=5)[0])
    assert np.array_equal(frame[quiet > 0], quiet[quiet > 0])
    assert frame[quiet == 0].max() < 96
    assert len(np.unique(frame[quiet == 0])) > 40
    for action in random_actions(79):
        noisy_step, quiet_step = noisy.step(action), plain.step(action)
        assert noisy_step[1:] == quiet_step[1:]
        still_empty = (quiet == 0) & (quiet_step[0] == 0)
        assert np.array_equal(noisy_step[0][still_empty], frame[still_empty])
    assert not np.array_equal(noisy.reset()[0], frame)


@pytest.mark.parametrize("nuisance", ["none", "noise"])
@pytest.mark.parametrize("steps_before", [0, 57, 131])
def test_a_fresh_environment_continues_exactly_from_a_snapshot(
    nuisance: str, steps_before: int
) -> None:
    environment, fresh = build(nuisance=nuisance), build(nuisance=nuisance)
    environment.reset(seed=9)
    play(environment, random_actions(steps_before))
    fresh.restore(environment.snapshot())
    actions = random_actions(200, seed=1)
    assert play(fresh, actions) == play(environment, actions)
    assert fresh.snapshot() == environment.snapshot()


def test_open_doors_and_rooms_entered_are_part_of_a_snapshot() -> None:
    environment, fresh = build(TWO_ROOMS), build(TWO_ROOMS)
    way = way_to_the_end(environment)
    environment.reset()
    play(environment, way[:-1])
    assert json.loads(environment.snapshot())["state"]["open_doors"] == [True]
    fresh.restore(environment.snapshot())
    assert play(fresh, way[-1:]) == play(environment, way[-1:])


def test_a_snapshot_fits_no_other_map() -> None:
    environment = build()
    environment.reset(seed=0)
    with pytest.raises(CheckpointError, match=r"LayoutSeed = 0.*LayoutSeed = 1"):
        build(layout_seed=1).restore(environment.snapshot())


def test_the_spec_tells_what_the_agent_sees_and_the_picture_is_the_packages() -> None:
    environment = build()
    environment.reset(seed=0)
    spec = environment.environment_spec
    assert (spec.discrete, spec.num_actions, spec.frame_skip) == (True, 4, 1)
    assert (spec.observation_dtype, spec.can_snapshot) == ("uint8", True)
    assert environment.render().shape == (400, 400, 3)
    environment.close()
    environment.close()


def test_a_map_without_rooms_tells_none_and_lava_ends_an_episode_with_nothing() -> None:
    environment = build("MiniGrid-LavaGapS5-v0")
    way_into_the_lava = way_to_the_end(environment)
    assert environment.reset(seed=0)[1] == {}
    steps = [environment.step(action) for action in way_into_the_lava]
    assert steps[-1][1:] == (0.0, True, False, {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"env_id": "MiniGrid-MultiRoom-N4-S5"}, "did you mean MiniGrid-MultiRoom-N4-S5-v"),
        ({"env_id": "MiniGrid-DoorKey-5x5-v0"}, "key, a locked door"),
        ({"env_id": "MiniGrid-Dynamic-Obstacles-5x5-v0"}, "ball, rules of its own"),
        ({"env_id": "CartPole-v1"}, "is no map"),
        ({"frame_height": 74}, "needs 75 and 75 at least"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        build(**options)


def test_state_observations_are_refused() -> None:
    section = EnvironmentSection(env_type="minigrid", observation_type="state", env_id=FOUR_ROOMS)
    with pytest.raises(ConfigurationError, match="pixels only"):
        MiniGridEnvironment(section)


def test_a_configuration_sees_frames_by_itself_and_contradictions_are_told() -> None:
    def config(**keys: Any) -> Config:
        return Config.model_validate({"Environment": {"EnvID": FOUR_ROOMS, **keys}})

    assert config(EnvType="minigrid").observes_pixels
    assert contradictions(config(EnvType="minigrid", Nuisance="noise", LearningReward="raw")) == []
    (told,) = contradictions(config(EnvType="minigrid", ObservationType="state"))
    assert "ObservationType = state with EnvType = minigrid" in told
    (told,) = contradictions(config(EnvType="atari", Nuisance="noise"))
    assert "Nuisance = noise with EnvType = atari" in told


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrid", None)
    with pytest.raises(ConfigurationError, match=r"pip install -r requirements-study\.txt"):
        build()
