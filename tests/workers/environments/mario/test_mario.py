"""Super Mario Bros., on either generation of its package."""

import hashlib
import importlib.util
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection

if importlib.util.find_spec("nes_py") is None:
    pytest.skip("gym-super-mario-bros is not installed", allow_module_level=True)

from workers.environments.mario.emulator import MarioEmulator
from workers.environments.mario.legacy import load_legacy_game
from workers.environments.mario.mario import ACTIONS, MarioEnvironment
from workers.environments.parts.preprocessing import grey, resize

IS_LEGACY = int(version("nes-py").split(".")[0]) < 9
needs_legacy = pytest.mark.skipif(not IS_LEGACY, reason="another generation of the package")
RIGHT_B, RIGHT_A_B = 3, 4


def build(env_id: str = "SuperMarioBros-v0", **options: Any) -> MarioEnvironment:
    settings = {"sticky_actions": False, "max_episode_steps": "auto", **options}
    return MarioEnvironment(EnvironmentSection(env_type="mario", env_id=env_id, **settings))


def rightward_actions(count: int) -> list[int]:
    """Mostly run and jump to the right, so that something happens."""
    chances = [0.05, 0.15, 0.2, 0.2, 0.3, 0.05, 0.05]
    drawn = np.random.default_rng(0).choice(7, size=count, p=chances)
    return [int(action) for action in drawn]


def test_both_generations_of_the_package_play_the_same_game_for_the_same_score() -> None:
    environment = build()
    environment.reset(seed=0)
    screens, score = hashlib.sha256(environment.render().tobytes()), 0.0
    for action in rightward_actions(200):
        _, reward, terminated, truncated, info = environment.step(action)
        assert not terminated
        assert not truncated
        score += reward
        screens.update(environment.render().tobytes())
    assert (score, info["metrics"]["distance"]) == (641.0, 724.0)
    assert screens.hexdigest()[:16] == "af3654c459b68c33"
    environment.close()
    environment.close()


@needs_legacy
def test_rewards_and_ends_equal_those_of_the_package() -> None:
    emulator, reference = MarioEmulator(0, (1, 1)), load_legacy_game()(target=(1, 1))
    running_into_the_first_enemy = [RIGHT_B] * 600
    for actions in (rightward_actions(300), running_into_the_first_enemy):
        emulator.reset()
        reference.reset()
        for action in actions:
            reward, over = emulator.advance(ACTIONS[action])
            _, expected_reward, expected_over, info = reference.step(ACTIONS[action])
            assert (reward, over) == (expected_reward, expected_over)
            assert emulator.x_position == info["x_pos"]
            if over:
                break
    assert over
    assert reward == -15.0
    emulator.close()
    reference.close()


def test_a_stage_ends_with_the_life_and_starts_anew() -> None:
    environment = build("SuperMarioBros-1-1-v0")
    first, _ = environment.reset(seed=0)
    terminated, steps = False, 0
    while not terminated:
        # Running on without a jump meets the first enemy.
        _, reward, terminated, truncated, info = environment.step(RIGHT_B)
        steps += 1
        assert not truncated
    assert reward < 0
    assert steps < 100
    assert 200 < info["metrics"]["distance"] < 400
    again, info = environment.reset()
    assert np.array_equal(again, first)
    assert info["metrics"]["distance"] == 40.0


def test_a_lost_life_ends_the_episode_but_not_the_game() -> None:
    environment, whole_games = build(life_done=True), build()
    environment.reset(seed=0)
    lives, game_overs, distances, score = [environment._emulator.lives], [], [], 0.0
    while True:
        _, reward, terminated, truncated, info = environment.step(RIGHT_B)
        score += reward
        assert not truncated
        if terminated:
            game_overs.append(info.get("game_over", True))
            distances.append(info["metrics"]["distance"])
            if game_overs[-1]:
                break
            environment.reset()
            lives.append(environment._emulator.lives)
    assert lives == [2, 1, 0]
    assert game_overs == [False, False, True]
    assert distances == sorted(distances)  # the furthest of the game so far
    environment.reset()
    assert environment._emulator.lives == 2
    whole_games.reset(seed=0)
    over, ends = False, 0
    while not over:
        over = whole_games.step(RIGHT_B)[2]
        ends += over
    assert ends == 1


@pytest.mark.parametrize("frame_skip", [1, 2, 3, 4])
def test_the_last_frame_of_a_life_is_that_of_the_life_and_not_of_the_next(frame_skip: int) -> None:
    environment = build(life_done=True, frame_skip=frame_skip)
    game, played = environment._emulator._game, []
    run_on = game._did_step

    def watch(over: bool) -> None:
        played.append(grey(environment._emulator.screen))
        run_on(over)

    game._did_step = watch
    environment.reset(seed=0)
    for _ in range(2):
        terminated = False
        while not terminated:
            played.clear()
            final, _, terminated, _, info = environment.step(RIGHT_B)
        assert not info["game_over"]
        is_whole = len(played) == frame_skip > 1
        shown = np.maximum(*played[-2:]) if is_whole else played[-1]
        assert np.array_equal(final, resize(shown, 84, 84))
        assert not np.array_equal(final, environment.reset()[0])


def test_observations_are_frames_with_memory_of_their_own() -> None:
    environment = build(frame_height=60)
    first, _ = environment.reset(seed=0)
    kept = first.copy()
    picture = environment.render()
    for _ in range(20):
        environment.step(RIGHT_A_B)
    assert first.shape == environment.environment_spec.observation_shape == (1, 60, 84)
    assert first.dtype == np.uint8
    assert np.array_equal(first, kept)
    assert picture.shape == (240, 256, 3)
    assert not np.array_equal(picture, environment.render())
    assert environment.environment_spec.num_actions == 7
    assert not environment.environment_spec.can_snapshot


def test_the_cap_truncates() -> None:
    environment = build(max_episode_steps=4)
    environment.reset(seed=0)
    assert [environment.step(0)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]


def test_sticky_actions_follow_the_seed() -> None:
    streams = []
    for seed in (1, 1, 2):
        environment = build("SuperMarioBros-1-1-v0", sticky_actions=True)
        environment.reset(seed=seed)
        frames = [environment.step(action)[0].tobytes() for action in rightward_actions(40)]
        streams.append(frames)
    assert streams[0] == streams[1]
    assert streams[0] != streams[2]


def test_random_stages_are_drawn_from_the_seeded_stream() -> None:
    first, second = build("SuperMarioBrosRandomStages-v0"), build("SuperMarioBrosRandomStages-v0")
    starts = []
    for environment in (first, second):
        seeds = [6, None, None]
        starts.append([environment.reset(seed=seed)[0].tobytes() for seed in seeds])
        environment.close()
    assert starts[0] == starts[1]
    assert len(set(starts[0])) > 1


def test_stages_are_drawn_of_those_that_are_named() -> None:
    stages = ("3-2", "1-4")
    first_screens = set()
    for stage in stages:
        alone = build(f"SuperMarioBros-{stage}-v0")
        first_screens.add(alone.reset(seed=0)[0].tobytes())
        alone.close()
    environment = build("SuperMarioBrosRandomStages-v0", mario_stages=stages)
    seen = {environment.reset(seed=seed)[0].tobytes() for seed in (0, *[None] * 9)}
    environment.close()
    assert seen == first_screens
    assert len(seen) == 2


def test_other_graphics_are_there_or_refused_with_the_remedy() -> None:
    if IS_LEGACY:
        assert not np.array_equal(build("SuperMarioBros-v3").reset()[0], build().reset()[0])
        return
    with pytest.raises(ConfigurationError, match="-v0"):
        build("SuperMarioBros-v3")


@pytest.mark.parametrize("env_id", ["SuperMarioBros-v4", "SuperMarioBros-9-1-v0", "Mario-v0"])
def test_an_unknown_id_is_refused_with_those_there_are(env_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"SuperMarioBros-1-1-v0"):
        build(env_id)


def test_state_observations_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="pixels"):
        build(observation_type="state")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gym_super_mario_bros", None)
    with pytest.raises(ConfigurationError, match=r"g\+\+"):
        build()


def test_old_gym_stays_out_of_memory() -> None:
    code = (
        "import sys; from workers.environments.mario.emulator import MarioEmulator; "
        "MarioEmulator(0, None).close(); "
        "sys.exit(any(name.split('.')[0] in ('gym', 'torch') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
