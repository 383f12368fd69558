"""An Atari game continues exactly from its snapshot, in this and in another process."""

import hashlib
import multiprocessing
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import CheckpointError
from configs.schema import EnvironmentSection
from workers.environments.atari.atari import AtariEnvironment

PONG = EnvironmentSection(env_id="PongNoFrameskip-v4", sticky_actions=True)


def play(environment: AtariEnvironment, actions: Iterable[Any]) -> str:
    """Step and reset at the ends; return a digest of all that was seen."""
    digest = hashlib.sha256()
    for action in actions:
        observation, *rest = environment.step(int(action))
        digest.update(observation.tobytes() + repr(rest).encode())
        if rest[1] or rest[2]:
            observation, info = environment.reset()
            digest.update(observation.tobytes() + repr(info).encode())
    return digest.hexdigest()


def continue_elsewhere(
    section: EnvironmentSection, snapshot: bytes, actions: Iterable[Any], answers: Any
) -> None:
    environment = AtariEnvironment(section)
    environment.restore(snapshot)
    answers.put((play(environment, actions), environment.snapshot()))


def actions_for(environment: AtariEnvironment, count: int, seed: int) -> NDArray[Any]:
    num_actions = environment.environment_spec.num_actions
    return np.random.default_rng(seed).integers(num_actions, size=count)


def test_pong_with_sticky_actions_continues_exactly_in_another_process() -> None:
    environment = AtariEnvironment(PONG)
    environment.reset(seed=7)
    play(environment, actions_for(environment, 300, seed=0))
    snapshot = environment.snapshot()
    actions = actions_for(environment, 300, seed=1)
    expected = play(environment, actions), environment.snapshot()

    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=continue_elsewhere, args=(PONG, snapshot, actions, answers))
    process.start()
    found = answers.get()
    process.join()
    assert found == expected


@pytest.mark.parametrize(
    ("game", "cap"),
    [
        ("MontezumaRevenge", 4500),  # rooms
        ("Breakout", 4500),  # lives, and ends of games
        ("Seaquest", 60),  # truncations
        ("Qbert", 4500),  # its state lacks what the first frame brings
        ("Tetris", 4500),  # the same
    ],
)
def test_a_fresh_environment_continues_exactly(game: str, cap: int) -> None:
    section = EnvironmentSection(
        env_id=f"{game}NoFrameskip-v4", life_done=True, max_episode_steps=cap
    )
    environment = AtariEnvironment(section)
    environment.reset(seed=3)
    play(environment, actions_for(environment, 40, seed=0))
    snapshot = environment.snapshot()
    actions = actions_for(environment, 250, seed=1)
    fresh = AtariEnvironment(section)
    fresh.restore(snapshot)
    assert play(fresh, actions) == play(environment, actions)


def test_a_snapshot_between_a_lost_life_and_its_reset_goes_on_with_the_game() -> None:
    section = EnvironmentSection(env_id="BreakoutNoFrameskip-v4", life_done=True)
    environment = AtariEnvironment(section)
    environment.reset(seed=0)
    while not environment.step(1)[2]:
        pass
    fresh = AtariEnvironment(section)
    fresh.restore(environment.snapshot())
    for each in (environment, fresh):
        each.reset()
        assert each._ale.lives() == 4
    assert fresh.snapshot() == environment.snapshot()


def test_a_life_lost_right_after_a_restore_is_noticed() -> None:
    section = EnvironmentSection(env_id="BreakoutNoFrameskip-v4", life_done=True)
    environment = AtariEnvironment(section)
    environment.reset(seed=0)
    terminated = False
    while not terminated:
        snapshot = environment.snapshot()
        terminated = environment.step(1)[2]
    fresh = AtariEnvironment(section)
    fresh.restore(snapshot)
    assert fresh.step(1)[2]


def test_the_rooms_visited_before_a_snapshot_are_remembered() -> None:
    section = EnvironmentSection(env_id="MontezumaRevengeNoFrameskip-v4")
    environment, fresh = AtariEnvironment(section), AtariEnvironment(section)
    environment.reset(seed=0)
    for room in (4, 1):
        environment._ale.setRAM(3, room)
        environment.step(0)
    fresh.restore(environment.snapshot())
    assert fresh.step(0)[4]["rooms"] == (1, 4)


def test_a_snapshot_does_not_disturb_the_game() -> None:
    disturbed, calm = AtariEnvironment(PONG), AtariEnvironment(PONG)
    actions = actions_for(calm, 60, seed=0)
    for environment in (disturbed, calm):
        environment.reset(seed=1)
        play(environment, actions[:30])
    disturbed.snapshot()
    assert play(disturbed, actions[30:]) == play(calm, actions[30:])


def test_a_snapshot_of_another_game_is_refused() -> None:
    breakout = AtariEnvironment(EnvironmentSection(env_id="BreakoutNoFrameskip-v4"))
    breakout.reset(seed=0)
    with pytest.raises(CheckpointError, match="Breakout"):
        AtariEnvironment(PONG).restore(breakout.snapshot())
