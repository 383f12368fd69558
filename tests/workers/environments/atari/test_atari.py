"""Atari against gymnasium's wrappers, and what the wrappers cannot do."""

import sys
from collections.abc import Iterable
from typing import Any

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.atari.atari import AtariEnvironment
from workers.environments.atari.games import atari_games, rom_of
from workers.environments.parts.preprocessing import resize


def build(env_id: str = "PongNoFrameskip-v4", **options: Any) -> AtariEnvironment:
    settings = {"sticky_actions": False, "max_episode_steps": "auto", **options}
    return AtariEnvironment(EnvironmentSection(env_id=env_id, **settings))


def play(environment: AtariEnvironment, actions: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Step and reset at the ends; return every observation and number."""
    seen = []
    for action in actions:
        observation, *rest = environment.step(int(action))
        seen.append((observation.tobytes(), *rest))
        if rest[1] or rest[2]:
            seen.append((environment.reset()[0].tobytes(),))
    return seen


def random_actions(environment: AtariEnvironment, count: int, seed: int = 0) -> NDArray[Any]:
    num_actions = environment.environment_spec.num_actions
    return np.random.default_rng(seed).integers(num_actions, size=count)


@pytest.mark.parametrize(
    ("game", "steps", "always"),
    [("MontezumaRevenge", 1500, None), ("Pong", 1100, 0)],
)
def test_frames_rewards_and_ends_equal_those_of_gymnasiums_wrappers(
    game: str, steps: int, always: int | None
) -> None:
    gymnasium.register_envs(ale_py)
    reference = AtariPreprocessing(gymnasium.make(f"{game}NoFrameskip-v4"), noop_max=0)
    emulator: Any = reference.unwrapped
    environment = build(f"{game}NoFrameskip-v4")
    actions = random_actions(environment, steps)
    expected, _ = reference.reset(seed=0)
    found, _ = environment.reset(seed=123)
    assert np.array_equal(found[0], expected)
    ends = 0
    for index, drawn in enumerate(actions):
        action = int(drawn) if always is None else always
        expected, *expected_rest = reference.step(action)
        found, *found_rest = environment.step(action)
        assert found_rest[:3] == expected_rest[:3], index
        if found_rest[1]:
            ends += 1
            # The wrapper returns a stale buffer here; ours is the screen on which the game ended.
            screen = emulator.ale.getScreenGrayscale()
            assert np.array_equal(found, resize(screen, 84, 84))
            expected, _ = reference.reset()
            found, _ = environment.reset()
        assert np.array_equal(found[0], expected), index
    assert ends >= 1
    assert found.shape == (1, 84, 84)
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    "env_id", ["PongDeterministic-v4", "Pong-v4", "Pong-v0", "PongNoFrameskip-v0", "ALE/Pong-v5"]
)
def test_every_spelling_of_an_id_plays_the_same_game(env_id: str) -> None:
    first, second = build(), build(env_id)
    first.reset(seed=0)
    second.reset(seed=0)
    actions = random_actions(first, 40)
    assert play(first, actions) == play(second, actions)
    assert second.environment_spec.env_id == env_id


def test_every_game_for_one_player_has_an_id() -> None:
    assert len(atari_games()) >= 100
    assert rom_of("ALE/MsPacman-v5") == "ms_pacman"
    assert rom_of("TicTacToe3DNoFrameskip-v4") == "tic_tac_toe_3d"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("MontezumasRevengeNoFrameskip-v4", "MontezumaRevengeNoFrameskip-v4"),
        ("pongNoFrameskip-v4", "PongNoFrameskip-v4"),
        ("ALE/Braekout-v5", "BreakoutNoFrameskip-v4"),
        ("PongNoFrameskip-v7", "PongNoFrameskip-v4"),
        ("CombatNoFrameskip-v4", "NoFrameskip-v4"),
        ("", "MontezumaRevengeNoFrameskip-v4"),
    ],
)
def test_an_unknown_game_is_refused_with_the_nearest_ids(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=nearest):
        rom_of(wrong)


@pytest.mark.parametrize("env_id", ["ALE/Pong-ram-v5", "Pong-ramNoFrameskip-v4"])
def test_the_memory_of_a_game_is_refused_as_that(env_id: str) -> None:
    with pytest.raises(ConfigurationError, match="the screen of a game, not its RAM"):
        rom_of(env_id)


def test_a_missing_emulator_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(ConfigurationError, match="pip install ale-py"):
        build()


def test_state_observations_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="pixels"):
        build(observation_type="state")


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    environment = build()
    environment.reset(seed=0)
    environment.step(0)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_the_same_seed_gives_the_same_game_and_another_seed_another() -> None:
    streams = []
    for seed in (5, 5, 6):
        environment = build(sticky_actions=True)
        environment.reset(seed=seed)
        streams.append(play(environment, random_actions(environment, 200)))
    assert streams[0] == streams[1]
    assert streams[0] != streams[2]


def test_a_seeded_reset_starts_anew_even_where_games_leave_traces_in_memory() -> None:
    environment = build("TennisNoFrameskip-v4", sticky_actions=True)
    actions = random_actions(environment, 60)
    environment.reset(seed=5)
    first = play(environment, actions)
    environment.reset(seed=5)
    assert play(environment, actions) == first


def test_a_later_reset_continues_the_random_stream() -> None:
    environment = build(sticky_actions=True)
    actions = random_actions(environment, 60)
    environment.reset(seed=5)
    first = play(environment, actions)
    environment.reset()
    assert play(environment, actions) != first


def test_sticky_actions_are_drawn_per_frame_and_start_from_the_no_op_in_every_episode() -> None:
    """Against a slow reference: the same draws applied to a bare emulator, frame by frame."""
    environment = build("BreakoutNoFrameskip-v4", sticky_actions=True, sticky_probability=0.75)
    environment.reset(seed=11)
    reference = build("BreakoutNoFrameskip-v4")._ale
    reference.reset_game()
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence(11)))
    legal = reference.getMinimalActionSet()
    actions = random_actions(environment, 12 * 20).reshape(12, 20)
    for episode in actions:
        last = ale_py.Action.NOOP
        for action in episode:
            environment.step(int(action))
            for draw in draws.random(4):
                last = last if draw < 0.75 else legal[action]
                reference.act(last)
            assert np.array_equal(environment._ale.getRAM(), reference.getRAM())
        environment.reset()
        reference.reset_game()


def test_the_cap_truncates_and_the_next_reset_starts_a_new_game() -> None:
    environment = build(max_episode_steps=5)
    first, _ = environment.reset(seed=0)
    flags = [environment.step(2)[2:4] for _ in range(5)]
    assert flags == [(False, False)] * 4 + [(False, True)]
    assert np.array_equal(environment.reset()[0], first)


def test_without_a_cap_of_its_own_a_game_is_truncated_after_108000_frames() -> None:
    environment = build()
    environment.reset(seed=0)
    snapshot = environment.snapshot().replace(b'"num_steps": 0', b'"num_steps": 26998')
    environment.restore(snapshot)
    assert [environment.step(0)[3] for _ in range(2)] == [False, True]


def test_a_lost_life_ends_the_episode_but_not_the_game() -> None:
    environment = build("BreakoutNoFrameskip-v4", life_done=True)
    environment.reset(seed=0)
    fire, lives, game_overs = 1, [environment._ale.lives()], []
    while True:
        _, _, terminated, truncated, info = environment.step(fire)
        assert not truncated
        if terminated:
            game_overs.append(info.get("game_over", True))
            if game_overs[-1]:
                break
            _, info = environment.reset()
            lives.append(environment._ale.lives())
    assert lives == [5, 4, 3, 2, 1]
    assert game_overs == [False] * 4 + [True]
    environment.reset()
    assert environment._ale.lives() == 5


def test_lost_lives_do_not_stretch_the_cap() -> None:
    environment = build("BreakoutNoFrameskip-v4", life_done=True, max_episode_steps=100)
    environment.reset(seed=0)
    steps = 0
    while True:
        _, _, terminated, truncated, info = environment.step(1)
        steps += 1
        if truncated:
            break
        if terminated:
            assert info["game_over"] is False
            environment.reset()  # plays nothing
    assert steps == 100


def test_montezumas_rooms_are_those_of_the_episode() -> None:
    environment = build("MontezumaRevengeNoFrameskip-v4")
    _, info = environment.reset(seed=0)
    assert info["rooms"] == (1,)
    environment._ale.setRAM(3, 4)
    assert environment.step(0)[4]["rooms"] == (1, 4)
    environment._ale.setRAM(3, 1)
    assert environment.step(0)[4]["rooms"] == (1, 4)
    assert environment.reset()[1]["rooms"] == (1,)
    assert "rooms" not in build().reset()[1]


def test_montezumas_pyramid_shows_each_of_its_rooms_once_and_the_present_one_is_told() -> None:
    environment = build("MontezumaRevengeNoFrameskip-v4")
    _, info = environment.reset(seed=0)
    assert info["room"] == 1
    environment._ale.setRAM(3, 4)
    assert environment.step(0)[4]["room"] == 4
    assert [room for row in environment.room_rows for room in row] == list(range(24))
    assert [len(row) for row in environment.room_rows] == [3, 5, 7, 9]
    assert build().room_rows == ()


def test_an_observation_is_not_overwritten_by_the_next_step() -> None:
    environment = build()
    first, _ = environment.reset(seed=0)
    kept = first.copy()
    for _ in range(30):
        environment.step(3)
    assert np.array_equal(first, kept)


def test_frame_size_and_skip_are_those_of_the_configuration() -> None:
    environment = build(frame_height=60, frame_width=40, frame_skip=1)
    observation, _ = environment.reset(seed=0)
    environment.step(0)
    assert observation.shape == environment.observation_space.shape == (1, 60, 40)
    assert environment.environment_spec.observation_shape == (1, 60, 40)
    assert environment.environment_spec.frame_skip == 1
    assert environment._ale.getEpisodeFrameNumber() == 1
    assert environment.render().shape == (210, 160, 3)
