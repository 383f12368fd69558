import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from configs.errors import DatasetError, StorageError
from tests.trajectories.made import DESCRIPTION, SCHEMA, dataset, episode
from trajectories import document
from trajectories import repair as repair_module
from trajectories.inventory import take_inventory
from trajectories.reader import open_dataset
from trajectories.repair import repair
from trajectories.shard import OpenShard
from trajectories.verify import bytes_to_read, verify, verify_folder
from trajectories.writer import ShardWriter

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two writers that no test changes."""
    folder = tmp_path_factory.mktemp("kept")
    dataset(folder, range(6), writer="a", per_shard=3, length=8)
    return dataset(folder, range(6, 9), writer="b", length=8)


@pytest.fixture
def made(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "made"))


def problems(folder: Path) -> dict[str, str]:
    return {problem.path.name: problem.what for problem in verify_folder(folder).problems}


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def flip_in_episode(folder: Path, name: str, which: int) -> None:
    """Flip a bit of an episode's pages."""
    entries = {s.name: s.episodes for _, s in take_inventory(folder).shards()}[name]
    flip(folder / name, entries[which].first_byte + entries[which].num_bytes // 2, 3)


def ids_of(folder: Path) -> set[str]:
    return {located.entry.id for located in open_dataset(folder).episodes}


ALL = {f"made-{seed}" for seed in range(9)}
SHARD = "shard-a-0.parquet"


def test_a_whole_dataset_has_no_problem_and_its_counts(kept: Path) -> None:
    read: list[int] = []
    inventory = take_inventory(kept)
    verdict = verify(inventory, None, read.append)
    assert (verdict.problems, verdict.notes) == ((), ())
    assert (verdict.num_shards, verdict.num_episodes, verdict.num_rows) == (3, 9, 81)
    assert verdict.num_bytes == sum(p.stat().st_size for p in kept.glob("*.parquet"))
    assert 0.5 * bytes_to_read(inventory) < sum(read) <= bytes_to_read(inventory)


def flips(folder: Path, count: int, seed: int) -> list[tuple[Path, int, int]]:
    """Bits anywhere in shards and manifest, each file as often as any other."""
    stream = np.random.default_rng(seed)
    files = sorted(folder.iterdir())
    chosen = [files[index % len(files)] for index in range(count)]
    return [
        (path, int(stream.integers(path.stat().st_size)), int(stream.integers(8)))
        for path in chosen
    ]


@pytest.mark.parametrize(
    "count", [9, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_every_flipped_bit_is_reported_and_repair_leaves_a_whole_dataset(
    count: int, kept: Path, tmp_path: Path
) -> None:
    for number, (path, place, bit) in enumerate(flips(kept, count, seed=count)):
        folder = Path(shutil.copytree(kept, tmp_path / str(number)))
        flip(folder / path.name, place, bit)
        assert path.name in problems(folder), (path.name, place, bit)
        repair(folder, lambda _: None)
        assert problems(folder) == {}, (path.name, place, bit)
        left = ids_of(folder)
        assert len(left) >= len(ALL) - 3
        if path.suffix == ".json":
            assert left == ALL
        shutil.rmtree(folder)


def truncate(folder: Path) -> None:
    data = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(data[: len(data) // 2])


def add_foreign_shard(folder: Path) -> None:
    other = dataset(folder.parent / "other", range(1), length=2)
    shutil.copy(other / "shard-a-0.parquet", folder / "shard-c-0.parquet")


def add_foreign_part(folder: Path) -> None:
    other = dataset(folder.parent / "other", range(1), writer="c", length=2)
    shutil.copy(other / "manifest-c.json", folder)


def with_another_format(folder: Path) -> None:
    text = (folder / "manifest-b.json").read_text()
    (folder / "manifest-b.json").write_text(text.replace('"format": 1', '"format": 3'))


@pytest.mark.parametrize(
    ("damage", "name", "told", "left"),
    [
        (truncate, SHARD, "bytes, not", 6),
        (lambda f: (f / SHARD).unlink(), SHARD, "is missing", 6),
        (lambda f: (f / SHARD).write_bytes(b""), SHARD, "has 0 bytes, not", 6),
        (lambda f: flip_in_episode(f, SHARD, 1), SHARD, "2 of its 3 episodes are whole", 8),
        (lambda f: flip(f / SHARD, -6, 1), SHARD, "0 of its 3 episodes are whole", 6),
        (lambda f: (f / SHARD).rename(f / "shard-a-7.parquet"), SHARD, "is missing", 6),
        (
            lambda f: (f / SHARD).rename(f / "shard-a-7.parquet"),
            "shard-a-7.parquet",
            "is no file of this dataset",
            6,
        ),
        (
            lambda f: shutil.copy(f / SHARD, f / "copy.parquet"),
            "copy.parquet",
            "is no file of this dataset",
            9,
        ),
        (add_foreign_shard, "shard-c-0.parquet", "is no file of this dataset", 9),
        (add_foreign_part, "manifest-c.json", "belongs to another dataset", 9),
        (lambda f: (f / "x.bin").write_bytes(b"x"), "x.bin", "is no file of this dataset", 9),
        (lambda f: (f / "manifest-b.json").unlink(), "shard-b-0.parquet", "no manifest names", 9),
        (
            lambda f: (f / "manifest-b.json").rename(f / "manifest-c.json"),
            "manifest-c.json",
            "was renamed; its writer was b",
            9,
        ),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json", "has no manifest.json", 9),
        (lambda f: (f / "manifest-a.json").write_text("{"), "manifest-a.json", "is no JSON", 9),
        (with_another_format, "manifest-b.json", "was changed or damaged", 9),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong_and_repair_keeps_the_rest(
    damage: Damage, name: str, told: str, left: int, made: Path
) -> None:
    damage(made)
    assert told in problems(made)[name]
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}
    said: list[str] = []
    repair(made, said.append)
    assert problems(made) == {}
    assert len(ids_of(made)) == left
    assert said
    kept_somewhere = {p.read_bytes() for p in made.rglob("*") if p.is_file()}
    assert {n for n, data in before.items() if data not in kept_somewhere} <= {
        "manifest-a.json"  # of a writer one of whose shards was set aside
    }


def test_episodes_that_were_saved_are_as_they_were(made: Path) -> None:
    flip_in_episode(made, SHARD, 1)
    repair(made, lambda _: None)
    found = open_dataset(made)
    assert ids_of(made) == ALL - {"made-1"}
    for index, located in enumerate(found.episodes):
        wanted = episode(int(located.entry.id.removeprefix("made-")), 8)
        read = found.episode(index)
        np.testing.assert_array_equal(read.observations, wanted.observations)
        np.testing.assert_array_equal(read.actions, wanted.actions)
        assert read.values == wanted.values


def test_an_episode_that_is_there_twice_is_kept_once(made: Path) -> None:
    dataset(made, range(2, 4), writer="c", length=8)
    dataset(made, range(20, 21), writer="c", length=8)
    told = problems(made)
    assert told == {"shard-c-0.parquet": "holds episode made-3, which is in the dataset twice"}
    repair(made, lambda _: None)
    assert problems(made) == {}
    assert ids_of(made) == ALL | {"made-20"}


def test_episodes_of_no_step_that_older_writers_took_stand_in_no_repairs_way(made: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trajectories.writer.check_episode", lambda *_: None)
        with ShardWriter(made, SCHEMA, DESCRIPTION, "old") as writer:
            for seed, length in ((30, 0), (31, 8), (32, 8)):
                writer.add(episode(seed, length))
    flip_in_episode(made, "shard-old-0.parquet", 2)
    repair(made, lambda _: None)
    assert problems(made) == {}
    assert ids_of(made) == ALL | {"made-31"}


def test_an_episode_that_is_twice_in_one_shard_is_kept_once(made: Path) -> None:
    with ShardWriter(made, SCHEMA, DESCRIPTION, "c") as writer:
        for seed in (20, 21, 20):
            writer.add(episode(seed, 8))
    repair(made, lambda _: None)
    assert problems(made) == {}
    assert ids_of(made) == ALL | {"made-20", "made-21"}


STEPS = (
    *((repair_module, name) for name in ("check_shard", "_set_aside", "replace_file")),
    *((ShardWriter, name) for name in ("add", "flush")),
)


def interrupt_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let a Ctrl-C come before step number `step` of a repair."""
    steps = itertools.count()

    def interrupted(call: Callable[..., object]) -> Callable[..., object]:
        def or_go_on(*arguments: object) -> object:
            if next(steps) == step:
                raise KeyboardInterrupt
            return call(*arguments)

        return or_go_on

    for owner, name in STEPS:
        patch.setattr(owner, name, interrupted(getattr(owner, name)))


def test_a_repair_that_is_interrupted_anywhere_loses_no_whole_episode(
    made: Path, tmp_path: Path
) -> None:
    flip_in_episode(made, SHARD, 1)
    flip_in_episode(made, "shard-b-0.parquet", 0)
    killed_before_it_is_named(made, "k", range(40, 44))
    dataset(made, range(41, 43), writer="l", length=8)
    whole = ALL - {"made-1", "made-6"} | {f"made-{seed}" for seed in range(40, 44)}
    for step in range(100):
        folder = Path(shutil.copytree(made, tmp_path / str(step)))
        with pytest.MonkeyPatch.context() as patch:
            interrupt_at(step, patch)
            try:
                repair(folder, lambda _: None)
                break
            except KeyboardInterrupt:
                pass
        repair(folder, lambda _: None)
        assert problems(folder) == {}, step
        assert ids_of(folder) == whole, step
    assert step > 10


def test_a_full_disk_costs_a_repair_nothing_and_it_says_nothing_that_is_not_so(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip_in_episode(made, SHARD, 1)
    before = {path: path.read_bytes() for path in made.iterdir()}
    said: list[str] = []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OpenShard, "finish", full)
    with pytest.raises(StorageError, match="No space left"):
        repair(made, said.append)
    monkeypatch.undo()
    assert said == []
    assert before.items() <= {path: path.read_bytes() for path in made.iterdir()}.items()
    repair(made, said.append)
    assert "2 of its 3 episodes written again" in said[0]
    assert ids_of(made) == ALL - {"made-1"}


def test_what_a_killed_writer_left_is_a_note_and_set_aside_when_it_is_old(made: Path) -> None:
    writer = ShardWriter(made, SCHEMA, DESCRIPTION, "k")
    writer.add(episode(30, 8))
    verdict = verify_folder(made)
    assert verdict.problems == ()
    assert "unfinished, of a writer that runs or was killed" in verdict.notes[0]
    repair(made, lambda _: None)
    assert len(verify_folder(made).notes) == 1  # too young to be a dead writer's
    writer.close()
    assert verify_folder(made).notes == ()


def test_a_shard_that_was_not_named_yet_does_not_count_until_repair_names_it(made: Path) -> None:
    before = (made / "manifest-b.json").read_bytes()
    with ShardWriter(made, SCHEMA, DESCRIPTION, "d") as writer:
        writer.add(episode(40, 8))
        writer.flush()
        named_once = (made / "manifest-d.json").read_bytes()
        writer.add(episode(41, 8))
    (made / "manifest-d.json").write_bytes(named_once)
    assert verify_folder(made).problems == ()
    assert len(verify_folder(made).notes) == 1
    assert "made-41" not in ids_of(made)
    repair(made, lambda _: None)
    assert ids_of(made) == ALL | {"made-40", "made-41"}
    assert (made / "manifest-b.json").read_bytes() == before


def killed_before_it_is_named(folder: Path, writer: str, seeds: range) -> Path:
    """Leave a shard on disk as a writer does that is killed before it is in the manifest."""
    with ShardWriter(folder, SCHEMA, DESCRIPTION, writer) as into:
        part = folder / f"manifest-{into.name}.json"
        before = part.read_bytes()
        for seed in seeds:
            into.add(episode(seed, 8))
    part.write_bytes(before)
    return folder / f"shard-{writer}-0.parquet"


def test_the_episodes_of_an_unnamed_shard_that_are_not_known_are_written_again(made: Path) -> None:
    orphan = killed_before_it_is_named(made, "k", range(40, 44))
    dataset(made, range(41, 43), writer="l", length=8)  # what was collected again since
    said: list[str] = []
    repair(made, said.append)
    assert said[0] == f"{orphan}: 2 of its 4 episodes written again"
    assert not orphan.exists()
    assert problems(made) == {}
    assert ids_of(made) == ALL | {f"made-{seed}" for seed in range(40, 44)}
    found = open_dataset(made)
    for index in range(len(found)):
        read = found.episode(index)
        wanted = episode(int(read.id.removeprefix("made-")), 8)
        np.testing.assert_array_equal(read.observations, wanted.observations)


def test_a_part_that_is_made_anew_names_its_shards_in_their_order(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "long", range(12), per_shard=1, length=3)
    before = open_dataset(folder)
    flip(folder / "manifest-a.json", 300, 1)
    repair(folder, lambda _: None)
    after = open_dataset(folder)
    assert after.episodes == before.episodes
    assert after.digest == before.digest  # positions in it hold


def test_repairing_a_whole_dataset_changes_nothing(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}
    said: list[str] = []
    repair(made, said.append)
    assert said == []
    assert {path: path.read_bytes() for path in made.iterdir()} == before


def test_documents_may_lie_beside_a_dataset(made: Path) -> None:
    (made / "returns.csv").write_text("id,return\n")
    (made / "notes.md").write_text("mine")
    assert problems(made) == {}


def test_a_later_format_is_refused_and_left_alone(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "FORMAT", 2)
    dataset(made.parent / "later", range(2))
    monkeypatch.undo()
    for check in (open_dataset, verify_folder, lambda f: repair(f, lambda _: None)):
        with pytest.raises(DatasetError, match="is of format 2; this Scout knows those up to 1"):
            check(made.parent / "later")


def test_a_folder_in_which_nothing_says_what_it_is_is_refused(made: Path) -> None:
    for path in made.glob("*.json"):
        path.unlink()
    with pytest.raises(DatasetError, match="is no dataset"):
        repair(made, lambda _: None)
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        verify_folder(made / "nowhere")


def test_shards_of_one_name_alone_can_be_checked(made: Path) -> None:
    truncate(made)
    inventory = take_inventory(made)
    assert verify(inventory, {"shard-a-1.parquet"}).problems == ()
    assert [p.path.name for p in verify(inventory, {SHARD}).problems] == [SHARD]


def test_a_file_that_does_not_count_is_called_so_where_it_is_named(made: Path) -> None:
    orphan = killed_before_it_is_named(made, "k", range(40, 42))
    flip(orphan, 500, 1)
    verdict = verify(take_inventory(made), {orphan.name})
    assert verdict.num_shards == 0
    assert verdict.notes == (
        f"{orphan}: unfinished, of a writer that runs or was killed; it does not count",
    )
    assert verify(take_inventory(made), {SHARD}).notes == ()
