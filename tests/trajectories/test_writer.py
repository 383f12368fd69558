import errno
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from configs.errors import ConfigurationError, StorageError
from tests.faults.disks import small_disk
from tests.trajectories.made import BOX, DESCRIPTION, SCHEMA, dataset, episode
from trajectories import files as files_module
from trajectories import shard as shard_module
from trajectories.manifest import read_info, read_part
from trajectories.reader import open_dataset
from trajectories.schema import ActionSpace, Schema
from trajectories.shard import OpenShard
from trajectories.verify import verify_folder
from trajectories.writer import ShardWriter


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def ids_in(folder: Path) -> list[str]:
    info = read_info(folder)
    parts = [read_part(path, info) for path in sorted(folder.glob("manifest-*.json"))]
    return [entry.id for part in parts for shard in part.shards for entry in shard.episodes]


def test_shards_are_named_in_the_manifest_with_their_rows_and_bytes(tmp_path: Path) -> None:
    dataset(tmp_path, range(6), per_shard=4)
    assert files_in(tmp_path) == {
        *("manifest.json", "manifest-a.json", "shard-a-0.parquet", "shard-a-1.parquet")
    }
    part = read_part(tmp_path / "manifest-a.json", read_info(tmp_path))
    for shard in part.shards:
        path = tmp_path / shard.name
        table = pq.read_table(path)
        assert (path.stat().st_size, table.num_rows) == (shard.num_bytes, shard.num_rows)
        for entry in shard.episodes:
            rows = table.slice(entry.first_row, entry.num_rows)
            assert set(rows["episode"].to_pylist()) == {entry.id}
            assert rows["t"].to_pylist() == list(range(entry.num_rows))
            assert sum(rows["reward"].to_pylist()[:-1]) == pytest.approx(entry.total_reward)


def test_the_last_observation_is_a_row_without_an_action(tmp_path: Path) -> None:
    dataset(tmp_path, range(1))
    rows = pq.read_table(tmp_path / "shard-a-0.parquet").to_pylist()
    last = rows[-1]
    assert [last[name] for name in ("action", "reward", "terminated", "truncated")] == [None] * 4
    assert last["observation"] == episode(0).observations[-1].tobytes()
    assert [row["terminated"] for row in rows[:-1]] == [False] * 39 + [True]


def test_a_row_group_holds_at_most_32_rows_of_one_episode(tmp_path: Path) -> None:
    dataset(tmp_path, range(2), length=40)
    metadata = pq.read_metadata(tmp_path / "shard-a-0.parquet")
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert groups == [32, 9, 32, 9]


@pytest.mark.parametrize(
    ("schema", "large"),
    [
        (SCHEMA, {"observation"}),
        (Schema((6,), "float32", BOX, latent="gaussian"), {"latent", "latent_std"}),
    ],
)
def test_observations_and_latents_alone_are_compressed(
    schema: Schema, large: set[str], tmp_path: Path
) -> None:
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        writer.add(episode(0, schema=schema))
    group = pq.read_metadata(tmp_path / "shard-a-0.parquet").row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    compression = {column.path_in_schema: column.compression for column in columns}
    assert {name for name, codec in compression.items() if codec == "ZSTD"} == large
    assert set(compression.values()) == {"ZSTD", "UNCOMPRESSED"}


def test_a_filter_of_a_shard_finds_labels_that_are_not_known(tmp_path: Path) -> None:
    labels = {"target": np.where(np.arange(41) % 2, np.nan, 1.0)}
    with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a") as writer:
        writer.add(replace(episode(0), labels=labels))
    path, target = tmp_path / "shard-a-0.parquet", pc.field("target")
    for wanted in (pc.is_nan(target), target != 1.0, ~(target <= 1.0)):
        found = pq.read_table(path, filters=wanted)["t"].to_pylist()
        assert found == list(range(1, 41, 2))


def test_a_shard_is_closed_when_it_is_large_enough(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a", shard_size=1) as writer:
        for seed in range(3):
            writer.add(episode(seed))
            assert writer.num_episodes == seed + 1
    assert len(list(tmp_path.glob("*.parquet"))) == 3


def test_a_name_that_is_taken_gets_a_number_so_writing_again_appends(tmp_path: Path) -> None:
    for seeds in (range(2), range(2, 4)):
        dataset(tmp_path, seeds)
    assert {"manifest-a.json", "manifest-a.2.json", "shard-a.2-0.parquet"} <= files_in(tmp_path)
    assert sorted(ids_in(tmp_path)) == [f"made-{seed}" for seed in range(4)]


def test_two_configurations_in_one_directory_are_refused_by_their_keys(tmp_path: Path) -> None:
    dataset(tmp_path, range(1))
    before = files_in(tmp_path)
    schema = replace(SCHEMA, observation_shape=(9, 8, 3))
    description = replace(DESCRIPTION, policy="brownian")
    with pytest.raises(ConfigurationError) as caught:
        ShardWriter(tmp_path, schema, description, "b")
    told = "differs in description.policy, schema.observation.shape; write into another directory"
    assert told in str(caught.value)
    assert files_in(tmp_path) == before


def test_a_writer_that_wrote_nothing_leaves_nothing_but_the_description(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a"):
        pass
    assert files_in(tmp_path) == {"manifest.json"}


def test_an_exception_inside_keeps_the_whole_episodes_before_it(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a") as writer:
            writer.add(episode(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ids_in(tmp_path) == ["made-0"]


def test_a_full_disk_is_one_message_and_the_dataset_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset(tmp_path, range(1))
    before = files_in(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write() -> None:
        with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "b") as writer:
            writer.add(episode(1))
            monkeypatch.setattr(OpenShard, "add", full)
            writer.add(episode(2))

    with pytest.raises(StorageError, match="No space left on device") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == before


def test_a_disk_that_fills_up_keeps_every_shard_before(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        with ShardWriter(folder, SCHEMA, DESCRIPTION, "a", shard_size=40_000) as writer:
            for seed in range(1000):
                writer.add(episode(seed))

    with small_disk(tmp_path / "disk", 1_000_000) as disk:
        folder = disk / "set"
        with pytest.raises(StorageError, match="No space left on device") as caught:
            write(folder)
        assert "\n" not in str(caught.value)
        verdict = verify_folder(folder)
        assert (verdict.problems, verdict.notes) == ((), ())
        assert verdict.num_episodes > 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"observations": np.zeros((41, 8, 8), np.uint8)}, "observations have shape (41, 8, 8)"),
        ({"observations": np.zeros((41, 8, 8, 3))}, "observations are float64, not uint8"),
        ({"actions": np.zeros((40, 3), np.float32)}, "actions have shape (40, 3), not (40, 2)"),
        ({"actions": np.full((40, 2), np.nan, np.float32)}, "of step 0 is none of its dataset's"),
        ({"rewards": np.full(40, np.inf)}, "the reward of step 0 is inf"),
        ({"rewards": np.zeros(39)}, "rewards have shape (39,), not (40,)"),
        (vars(episode(1, 0)), "episode made-1: it has no steps, so nothing says how it ended"),
        ({"states": None}, "states are missing, unlike in its dataset"),
        ({"labels": {}}, "labels are none, those of its dataset target"),
        ({"latent_std": np.zeros((41, 8))}, "latent_std is given, unlike in its dataset"),
        ({"values": {"seed": 3}}, "an episode needs a text as values['id']"),
        ({"values": {"id": "x", "level": None}}, "episode value 'level' is None"),
    ],
)
def test_an_episode_that_does_not_fit_is_refused_and_costs_no_other(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a") as writer:
        writer.add(episode(0))
        with pytest.raises(ConfigurationError) as caught:
            writer.add(replace(episode(1), **change))  # type: ignore[arg-type]
        assert told in str(caught.value)
        writer.add(episode(2))
    assert ids_in(tmp_path) == ["made-0", "made-2"]


@pytest.mark.parametrize("name", ["", "../a", "a b", "-a", "a/b"])
def test_a_writer_needs_a_name_that_files_can_carry(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="letters, digits"):
        ShardWriter(tmp_path, SCHEMA, DESCRIPTION, name)
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("found", "stored", "value"),
    [
        ("int64", "int8", 300),
        ("uint8", "int8", 200),
        ("uint16", "int16", 40_000),
        ("uint16", "uint8", 256),
        ("uint64", "int64", 2**63),
        ("int64", "float32", 2**24 + 1),
        ("int64", "float64", 2**53 + 1),
        ("float64", "float16", 1e6),
        ("float64", "float32", -1e300),
    ],
)
def test_numbers_that_the_stored_type_does_not_hold_are_refused(
    found: str, stored: str, value: float, tmp_path: Path
) -> None:
    schema = Schema((3,), stored, ActionSpace("box", (3,), stored, low=(0.0,) * 3, high=(1.0,) * 3))
    observations, actions = np.ones((41, 3), found), np.ones((40, 3), found)
    given = replace(episode(0, schema=schema), observations=observations, actions=actions)
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        for numbers, name in ((observations, "observations"), (actions, "actions")):
            numbers[7, 1] = value
            told = f"{name} hold {numbers[7, 1]}, which {stored} does not hold"
            with pytest.raises(ConfigurationError, match=re.escape(told)):
                writer.add(given)
            numbers[7, 1] = 1
        writer.add(given)
    read = open_dataset(tmp_path).episode(0)
    assert read.observations.dtype == read.actions.dtype == stored
    assert (read.observations == 1).all()


def test_numbers_of_a_wider_type_are_kept_where_they_fit_and_rounded_where_they_are_fractions(
    tmp_path: Path,
) -> None:
    schema = Schema((3,), "float32", BOX)
    observations = np.full((41, 3), 0.1)
    observations[5] = np.inf
    observations[6] = np.nan
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        writer.add(replace(episode(0, schema=schema), observations=observations))
    read = open_dataset(tmp_path).episode(0).observations
    np.testing.assert_array_equal(read, observations.astype(np.float32))


def out_of_room(module: ModuleType, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let a module fail to bring the names in a folder to disk, as full disks do."""
    sync = module.sync

    def or_fail(path: Path) -> None:
        if path == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    patch.setattr(module, "sync", or_fail)


@pytest.mark.parametrize(("module", "kept"), [(shard_module, [1]), (files_module, [0, 1])])
def test_a_shard_whose_name_does_not_reach_the_disk_is_no_obstacle_to_the_next(
    module: ModuleType, kept: list[int], tmp_path: Path
) -> None:
    """It is removed where no manifest names it, and else kept."""
    writer = ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a")
    writer.add(episode(0))
    with pytest.MonkeyPatch.context() as patch:
        out_of_room(module, tmp_path, patch)
        with pytest.raises(StorageError, match="No space left on device"):
            writer.flush()
    verdict = verify_folder(tmp_path)
    assert (verdict.problems, verdict.notes) == ((), ())
    writer.add(episode(1))
    writer.close()
    verdict = verify_folder(tmp_path)
    assert (verdict.problems, verdict.notes) == ((), ())
    assert ids_in(tmp_path) == [f"made-{seed}" for seed in kept]
