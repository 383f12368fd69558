"""Random streams of the process: each environment has its own, seeded by run and number."""

# ruff: noqa: NPY002 - the old streams are what this is about

import random
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from configs.schema import EnvironmentSection
from tests.workers.environments.registered.foreign_probes import LENGTH, Dice, Lamp
from workers.environments.make import make_environment
from workers.environments.registered.global_streams import GlobalStreams, layers_of, spaces_of
from workers.environments.registered.registered import adapted
from workers.shared.shared_arrays import SharedArrays, allocate, field_table
from workers.stepping.owned_environments import OwnedEnvironments

KINDS = ("numpy", "normal", "python", "space", "own")
NUM_STEPS = 2 * LENGTH + 1  # over two ends of episodes


def play(kind: str, workers: list[list[int]]) -> dict[int, list[list[float]]]:
    """Return what each environment shows, built in worker after worker of this process."""
    seen: dict[int, list[list[float]]] = {}
    for numbers in workers:
        owned = OwnedEnvironments((range(len(numbers)),))
        seeds = tuple(100 + number for number in numbers)
        table = field_table(owned.build(partial(Dice, kind), lambda row: None, seeds), 3, 1)
        arrays = SharedArrays(allocate(table), table)
        owned.attach(arrays, 0)
        owned.reset(0, 0, seeds)
        for number, first in zip(numbers, arrays.observations[0], strict=False):
            seen[number] = [first.tolist()]
        for _ in range(NUM_STEPS):
            owned.step(0, 0)
            for number, shown in zip(numbers, arrays.observations[0], strict=False):
                seen[number].append(shown.tolist())
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_environment_draws_does_not_depend_on_who_shares_its_process(kind: str) -> None:
    together = play(kind, [[0, 1, 2]])
    assert together == play(kind, [[0, 1, 2]]), "the same seeds, the same numbers"
    assert together == play(kind, [[1], [0, 2]])
    for column in (1,) if kind in ("space", "own") else (0, 1):
        drawn = [tuple(step[column] for step in together[number]) for number in range(3)]
        assert len(set(drawn)) == 3, "every environment draws others"


def test_a_seeded_reset_begins_the_streams_anew() -> None:
    for kind in KINDS:
        environment = adapted(Dice(kind))
        first = [environment.reset(seed=5)[0][1], environment.step(0)[0][1]]
        environment.step(0)
        again = [environment.reset(seed=5)[0][1], environment.step(0)[0][1]]
        assert first == again
        assert environment.reset()[0][1] != again[0], "a reset without a seed goes on"


def test_an_environment_that_seeds_a_stream_itself_keeps_it() -> None:
    mine, other = GlobalStreams(1), GlobalStreams(2)
    with mine:
        random.seed(7)
        np.random.seed(7)
        wanted = random.random(), np.random.uniform()
        random.seed(7)
        np.random.seed(7)
    with other:
        random.random()
        np.random.uniform()
    with mine:
        assert (random.random(), np.random.uniform()) == wanted


def test_all_spaces_of_all_layers_are_found() -> None:
    inner = Lamp()
    leaf, node = spaces.Discrete(3), spaces.Box(0, 1, (2,))
    sequence = spaces.Sequence(leaf)
    inner.observation_space = spaces.Dict(a=spaces.Tuple((sequence, spaces.Graph(node, None))))
    outer = gymnasium.wrappers.TransformReward(inner, lambda reward: reward)
    outer.action_space = spaces.Discrete(9)
    found = {id(space) for space in spaces_of(outer)}
    both = {id(outer.action_space), id(inner.action_space), id(inner.observation_space)}
    assert {*both, id(sequence), id(leaf), id(node)} <= found
    assert list(layers_of(outer)) == [outer, inner]


def test_a_space_seeded_by_its_environment_goes_on_from_there() -> None:
    space = spaces.Discrete(1000)
    with GlobalStreams(1, spaces=[space]) as streams:
        space.seed(3)
        space.sample()
    with GlobalStreams(2, spaces=[space]):
        space.sample()
    with streams:
        found = [space.sample() for _ in range(4)]
    space.seed(3)
    space.sample()
    assert found == [space.sample() for _ in range(4)]


@pytest.mark.parametrize(
    ("family", "env_id"),
    [
        ("classic_control", "CartPole-v1"),
        ("gymnasium", "MountainCar-v0"),
        ("atari", "BreakoutNoFrameskip-v4"),
        ("minigrid", "MiniGrid-MultiRoom-N2-S4-v0"),
    ],
)
def test_our_own_families_draw_nothing_from_the_process(family: Any, env_id: str) -> None:
    """So their snapshots need not hold these streams, and their steps need not change them."""
    environment = make_environment(EnvironmentSection(env_type=family, env_id=env_id))
    environment.reset(seed=0)
    before = random.getstate(), str(np.random.get_state(legacy=False))
    for _ in range(5):
        _, _, terminated, truncated, _ = environment.step(0)
        if terminated or truncated:
            environment.reset()
    assert random.getstate() == before[0]
    assert str(np.random.get_state(legacy=False)) == before[1]
    environment.close()
