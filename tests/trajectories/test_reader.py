import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ConfigurationError, DatasetError
from configs.sizes import bytes_text
from tests.trajectories.made import DESCRIPTION, SCHEMA, dataset, episode
from trajectories.episode import Episode
from trajectories.memory import decoded_bytes, in_memory
from trajectories.reader import Dataset, known_ids, open_dataset
from trajectories.rows import Located, Rows
from trajectories.schema import ActionSpace, Schema
from trajectories.writer import ShardWriter

SPACES = [
    ActionSpace("discrete", (), "int64", (5,), start=-2),
    ActionSpace("multi_discrete", (2,), "int64", (3, 4)),
    ActionSpace("multi_binary", (2, 2), "int8"),
    ActionSpace("box", (), "float32", low=(-1.0,), high=(1.0,)),
    ActionSpace("box", (3,), "float64", low=(-1.0,) * 3, high=(1.0,) * 3),
]


def assert_same(found: Episode, wanted: Episode) -> None:
    for name in ("observations", "actions", "rewards", "states", "latent_std"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, strict=True, err_msg=name)
    assert found.labels.keys() == wanted.labels.keys()
    for name, values in found.labels.items():
        np.testing.assert_array_equal(values, wanted.labels[name])
    assert (found.terminated, found.truncated) == (wanted.terminated, wanted.truncated)
    assert found.values == wanted.values


@pytest.fixture(params=["disk", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    """A dataset of two writers, read either way; episodes of 0, 1, 31, 32, 33 and 70 steps."""
    with pytest.MonkeyPatch.context() as patch:  # older writers took those of no step
        patch.setattr("trajectories.writer.check_episode", lambda *_: None)
        for writer, lengths in (("b", (0, 1, 31)), ("a", (32, 33, 70))):
            with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, writer, shard_size=20_000) as into:
                for length in lengths:
                    into.add(episode(length, length))
    found = open_dataset(tmp_path)
    return in_memory(found, 10**9, lambda _: None) if request.param == "memory" else found


def test_episodes_come_back_to_the_last_bit_in_order_of_writer_and_shard(opened: Dataset) -> None:
    lengths = (32, 33, 70, 0, 1, 31)
    assert opened.lengths.tolist() == list(lengths)
    for found, length in zip(opened.scan(), lengths, strict=True):
        wanted = episode(length, length)
        if length == 0:  # no step says how it ended
            wanted = replace(wanted, terminated=False)
        assert_same(found, wanted)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{space.kind}{space.shape}")
@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool", "float16", "int64"])
def test_every_kind_of_space_comes_back(space: ActionSpace, dtype: str, tmp_path: Path) -> None:
    schema = Schema((3,), dtype, space)
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        writer.add(episode(1, 40, schema))
    assert_same(open_dataset(tmp_path).episode(0), episode(1, 40, schema))


@pytest.mark.parametrize("latent", ["point", "gaussian"])
def test_latents_stand_in_the_place_of_observations(latent: str, tmp_path: Path) -> None:
    schema = Schema((6,), "float32", SPACES[-1], latent=latent)
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        writer.add(episode(1, 40, schema))
    found = open_dataset(tmp_path)
    assert_same(found.episode(0), episode(1, 40, schema))
    assert found.columns[0] == "latent"


def test_frames_come_in_the_order_of_their_ids_also_twice(opened: Dataset) -> None:
    ids = np.array([[2, 70], [0, 0], [2, 31], [2, 32], [3, 0], [0, 0]])
    rows = opened.frames(ids, ["observation", "action", "t"][:2])
    for place, (index, row) in enumerate(ids):
        wanted = opened.episode(index)
        np.testing.assert_array_equal(rows["observation"][place], wanted.observations[row])
        last = row == wanted.length
        np.testing.assert_array_equal(rows["action"][place], 0 if last else wanted.actions[row])


def test_frames_of_row_groups_that_touch_each_other_are_read_at_once(opened: Dataset) -> None:
    asked: list[tuple[str, int, int]] = []

    class Listening:
        def read(self, episode: Located, first: int, stop: int, columns: Sequence[str]) -> Rows:
            asked.append((episode.entry.id, first, stop))
            return opened.source.read(episode, first, stop, columns)

    ids = np.array([[2, 70], [1, 3], [2, 5], [2, 40], [5, 31], [2, 40]])
    rows = replace(opened, source=Listening()).frames(ids)
    assert asked == [("made-33", 3, 4), ("made-70", 5, 71), ("made-31", 31, 32)]
    np.testing.assert_array_equal(rows["observation"], opened.frames(ids)["observation"])

    asked.clear()
    replace(opened, source=Listening()).frames(np.array([[2, 70], [2, 5]]))
    assert asked == [("made-70", 5, 6), ("made-70", 70, 71)]  # not the group between them


def test_windows_are_slices_of_episodes_filled_up_behind_their_mask(opened: Dataset) -> None:
    ids = np.array([[2, 30, 40], [2, 60, 70], [4, 0, 1], [1, 5, 12]])
    windows = opened.windows(ids, 10)
    assert windows.mask.sum(axis=1).tolist() == [10, 10, 1, 7]
    for place, (index, start, stop) in enumerate(ids):
        wanted, steps = opened.episode(index), stop - start
        assert wanted.states is not None
        assert windows.states is not None
        for found, whole, more in (
            (windows.observations, wanted.observations, 1),
            (windows.states, wanted.states, 1),
            (windows.labels["target"], wanted.labels["target"], 1),
            (windows.actions, wanted.actions, 0),
            (windows.rewards, wanted.rewards, 0),
        ):
            np.testing.assert_array_equal(found[place, : steps + more], whole[start : stop + more])
            assert not found[place, steps + more :].any()
        ends = windows.terminated[place] | windows.truncated[place]
        assert ends.tolist() == [stop == wanted.length and t == steps - 1 for t in range(10)]


def test_only_columns_that_are_wanted_are_read(opened: Dataset) -> None:
    windows = opened.windows(np.array([[0, 0, 4]]), 4, columns=())
    assert (windows.states, windows.labels) == (None, {})


def test_splits_share_no_episode_and_hold_all(tmp_path: Path) -> None:
    found = open_dataset(dataset(tmp_path, range(60), per_shard=30, length=2))
    splits = {n: found.split(n) for n in ("train", "validation", "test")}
    ids = {n: {e.entry.id for e in split.episodes} for n, split in splits.items()}
    assert sum(map(len, ids.values())) == len(found)
    assert set().union(*ids.values()) == {e.entry.id for e in found.episodes}
    assert len(ids["train"]) > 30
    assert splits["test"].digest != splits["train"].digest
    for name, split in splits.items():
        first = next(iter(split.scan())).id
        assert first in ids[name]
    with pytest.raises(ConfigurationError, match="has no split 'tests', but train, validation"):
        found.split("tests")


def test_what_does_not_fit_into_memory_stays_on_disk_and_says_so(tmp_path: Path) -> None:
    found = open_dataset(dataset(tmp_path, range(2)))
    size = decoded_bytes(found)
    assert size == 82 * (8 * 8 * 3 + 2 * 4 + 8 + 1 + 1 + 2 * 4 + 8)
    told: list[str] = []
    assert in_memory(found, size - 1, told.append) is found
    assert in_memory(found, size, told.append) is not found
    assert f"82 frames take {bytes_text(size)} decoded, more than" in told[0]
    assert "they are read into memory once" in told[1]


def test_a_dataset_can_be_pickled_while_it_is_open(tmp_path: Path) -> None:
    found = open_dataset(dataset(tmp_path, range(2)))
    found.episode(0)
    again = pickle.loads(pickle.dumps(found))
    assert again.digest == found.digest
    assert_same(again.episode(1), episode(1))


def test_a_flipped_bit_in_a_page_is_an_error_that_names_the_episode(tmp_path: Path) -> None:
    found = open_dataset(dataset(tmp_path, range(3)))
    entry = found.episodes[1].entry
    path = found.episodes[1].path
    data = bytearray(path.read_bytes())
    data[entry.first_byte + entry.num_bytes // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="episode made-1 cannot be read") as caught:
        open_dataset(tmp_path).episode(1)
    assert "\n" not in str(caught.value)
    assert_same(open_dataset(tmp_path).episode(2), episode(2))


def test_an_episode_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path, range(2))
    dataset(tmp_path, range(1, 3), writer="b")
    with pytest.raises(DatasetError, match="episode made-1 is in it twice"):
        open_dataset(tmp_path)


def test_a_writer_that_goes_on_can_ask_what_is_there(tmp_path: Path) -> None:
    assert known_ids(tmp_path / "nowhere") == set()
    ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a").close()
    assert known_ids(tmp_path) == set()
    dataset(tmp_path, range(2))
    dataset(tmp_path, range(2, 3), writer="b")
    assert known_ids(tmp_path) == {"made-0", "made-1", "made-2"}


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is no dataset: it has no manifest\.json"):
        open_dataset(tmp_path)
    ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a").close()
    with pytest.raises(DatasetError, match="holds no episodes yet"):
        open_dataset(tmp_path)
