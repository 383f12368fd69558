"""Each export is read back by the library that it is for."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from configs.errors import ConfigurationError
from tests.trajectories.made import DESCRIPTION, SCHEMA, episode
from training.exchange.exporting import export_dataset
from training.exchange.to_minari import action_space
from trajectories.episode import Episode, Value
from trajectories.reader import open_dataset
from trajectories.schema import ActionSpace, Schema, schema_of
from trajectories.writer import ShardWriter

SPACES = [
    ActionSpace("discrete", (), "int64", (5,), start=-2),
    ActionSpace("multi_discrete", (2,), "int64", (3, 4)),
    ActionSpace("multi_binary", (4,), "int8"),
    ActionSpace("box", (2,), "float32", low=(-np.finfo("float64").max, -1.0), high=(1.0, 1.0)),
]
FRAMES = replace(SCHEMA, observation_shape=(36, 36, 3))  # Minari would make JPEGs of these


def made(folder: Path, schema: Schema) -> Path:
    with ShardWriter(folder, schema, DESCRIPTION, "a") as writer:
        for seed in range(3):
            writer.add(episode(seed, 5 + seed, schema))
    return folder


def same(found: Mapping[str, Any], wanted: Episode) -> None:
    np.testing.assert_array_equal(found["observations"], wanted.observations)
    np.testing.assert_array_equal(found["actions"], wanted.actions)
    np.testing.assert_array_equal(found["rewards"], wanted.rewards)


def test_npz_is_read_back_by_numpy(tmp_path: Path) -> None:
    folder = made(tmp_path / "set", FRAMES)
    assert export_dataset("npz", folder, tmp_path / "out") == 0
    index = json.loads((tmp_path / "out" / "episodes.json").read_text())
    assert index["dataset"] == open_dataset(folder).info.as_json()
    for seed, told in enumerate(index["episodes"]):
        found, wanted = np.load(tmp_path / "out" / told["file"]), episode(seed, 5 + seed, FRAMES)
        same(found, wanted)
        np.testing.assert_array_equal(found["states"], wanted.states)
        np.testing.assert_array_equal(found["label_target"], wanted.labels["target"])
        assert (bool(found["terminated"]), told["seed"]) == (wanted.terminated, seed)
        assert told["id"] == f"made-{seed}"


def test_webdataset_is_read_back_by_webdataset(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="needs requirements-exchange.txt")
    export_dataset("webdataset", made(tmp_path / "set", FRAMES), tmp_path / "out")
    files = [str(path) for path in (tmp_path / "out").glob("*.tar")]
    samples = list(webdataset.WebDataset(files, shardshuffle=False).decode())
    assert len(samples) == 3
    for seed, sample in enumerate(samples):
        same(sample["npz"], episode(seed, 5 + seed, FRAMES))
        assert sample["json"]["id"] == f"made-{seed}"


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.kind))
def test_minari_is_read_back_by_minari_without_loss(space: ActionSpace, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="needs requirements-exchange.txt")
    schema = replace(FRAMES, action=space)
    export_dataset("minari", made(tmp_path / "set", schema), tmp_path / "out")
    found = minari.MinariDataset(tmp_path / "out" / "data")
    assert (found.total_episodes, found.total_steps) == (3, 5 + 6 + 7)
    for seed, read in enumerate(found.iterate_episodes()):
        wanted = episode(seed, 5 + seed, schema)
        same(vars(read), wanted)
        assert read.terminations.tolist() == [False] * (4 + seed) + [wanted.terminated]
        assert read.truncations.tolist() == [False] * (4 + seed) + [wanted.truncated]
        np.testing.assert_array_equal(read.infos["state"], wanted.states)
        assert all(found.action_space.contains(action) for action in read.actions)
        assert found.observation_space.contains(read.observations[0])
    values = next(iter(found.storage.get_episode_metadata([1])))
    assert (values["scout_id"], values["policy"], values["seed"]) == ("made-1", "random", 1)


def test_a_value_that_has_a_name_of_minaris_own_is_told_beside_it(tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="needs requirements-exchange.txt")
    named: dict[str, Value] = {"id": "made", "seed": 3, "total_steps": 99, "split": "mine"}
    with ShardWriter(tmp_path / "set", FRAMES, DESCRIPTION, "a") as writer:
        writer.add(replace(episode(0, 5, FRAMES), values=named))
    export_dataset("minari", tmp_path / "set", tmp_path / "out")
    found = minari.MinariDataset(tmp_path / "out" / "data")
    values = next(iter(found.storage.get_episode_metadata([0])))
    assert (values["total_steps"], values["scout_total_steps"]) == (5, 99)
    assert (values["scout_id"], values["seed"]) == ("made", 3)
    assert len(next(iter(found.iterate_episodes())).actions) == 5


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64])
def test_the_space_of_an_export_has_the_bounds_that_its_numbers_have(dtype: Any) -> None:
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    space = gymnasium.spaces.Box(limits.min, limits.max, (2,), dtype)
    observed = gymnasium.spaces.Box(0, 1, (1,), np.float32)
    found = action_space(schema_of(observed, space).action)
    assert isinstance(found, gymnasium.spaces.Box)
    assert found.dtype == dtype
    assert found.low.tolist() == space.low.tolist()
    assert found.high.tolist() == space.high.tolist()


@pytest.mark.parametrize("form", ["minari", "webdataset"])
def test_a_library_that_is_missing_is_said_in_one_line(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, form, None)
    folder = made(tmp_path / "set", FRAMES)
    with pytest.raises(ConfigurationError, match=r"pip install -r requirements-exchange\.txt"):
        export_dataset(form, folder, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"set"}
