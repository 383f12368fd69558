import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trajectories import car_racing
from benchmarks.trajectories.command import NEEDS, SLICE, Cost, check, installed, measure, table
from benchmarks.trajectories.stores import OURS, STORES
from tests.trajectories.made import episode
from trajectories.schema import ActionSpace, Schema

SCHEMA = Schema((40, 40, 3), "uint8", ActionSpace("box", (3,), "float32"))
EPISODES = [episode(seed, SLICE + 8, SCHEMA) for seed in range(2)]
GIVEN = {False: (SCHEMA, EPISODES), True: car_racing.planar(SCHEMA, EPISODES)}


@pytest.mark.parametrize("name", STORES)
def test_every_store_gives_back_what_was_written(name: str, tmp_path: Path) -> None:
    for family, module in NEEDS.items():
        if name.startswith(family) and importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (make peers_venv)")
    store = STORES[name]()
    schema, episodes = GIVEN[store.is_planar]
    store.write(tmp_path, schema, episodes)
    reader = store.open(tmp_path)
    check(reader, store, episodes)
    frames = sum(len(piece) for piece in reader.scan())
    assert frames == sum(len(made.observations) for made in episodes)


def test_a_store_that_gives_something_else_is_caught(tmp_path: Path) -> None:
    store = STORES[OURS]()
    schema, episodes = GIVEN[store.is_planar]
    store.write(tmp_path, schema, [episodes[1], episodes[0]])
    with pytest.raises(AssertionError):
        check(store.open(tmp_path), store, episodes)


def test_a_round_measures_everything() -> None:
    store = installed()[OURS]
    cost = measure(store, *GIVEN[store.is_planar], seed=0)
    assert all(value > 0 for value in cost)


def test_the_table_has_a_row_for_each_store_and_its_time_in_ours() -> None:
    costs = {OURS: [Cost(100, 10, 1, 5)] * 2, "npz": [Cost(90, 40, 3, 5)] * 2}
    head, _, ours, other = table(costs).splitlines()
    assert head.count("|") == ours.count("|") == other.count("|")
    assert other.endswith("| 4.0 [4.0, 4.0] | 3.0 [3.0, 3.0] | 1.0 [1.0, 1.0] |")


def test_frames_are_turned_and_not_changed() -> None:
    schema, turned = GIVEN[True]
    assert schema.observation_shape == (3, 40, 40)
    np.testing.assert_array_equal(
        turned[0].observations.transpose(0, 2, 3, 1), EPISODES[0].observations
    )
