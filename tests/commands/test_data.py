"""--data: what is typed, what is printed, how it ends."""

from pathlib import Path

import numpy as np
import pytest

import main
from tests.trajectories.made import dataset

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    dataset(tmp_path / "car", range(4), per_shard=2, length=8)
    return tmp_path


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def ended(*arguments: str) -> int:
    try:
        return main.main(arguments)
    except SystemExit as end:
        return int(str(end.code))


def test_a_whole_dataset_verifies(folder: Path, capsys: Captured) -> None:
    assert ended("--data", "verify", "car") == 0
    told = capsys.readouterr()
    assert told.out.startswith("car: whole; 2 whole shards with 4 episodes, 36 rows, ")
    assert told.err == ""


def test_bad_files_are_named_and_the_exit_code_says_so(folder: Path, capsys: Captured) -> None:
    damage(folder / "car" / "shard-a-1.parquet")
    assert ended("--data", "verify", "car") == 8
    told = capsys.readouterr()
    assert "car/shard-a-1.parquet: has changed: its digest does not match" in told.out
    assert "car: 1 problem; 1 whole shard with 2 episodes" in told.out
    assert told.err.splitlines() == [
        "error: car is not whole; main.py --data repair car moves aside what is damaged and keeps "
        "the rest"
    ]
    assert ended("--data", "verify", "car/shard-*-0.parquet") == 0
    assert ended("--data", "verify", "car/shard-*.parquet") == 8


def test_several_datasets_and_patterns_are_checked_to_the_end(
    folder: Path, capsys: Captured
) -> None:
    dataset(folder / "cab", range(1), length=2)
    (folder / "cab" / "shard-a-0.parquet").unlink()
    assert ended("--data", "verify", "ca?") == 8
    told = capsys.readouterr()
    assert "cab/shard-a-0.parquet: is missing" in told.out
    assert "car: whole" in told.out


def test_repair_says_what_it_moved_and_leaves_a_dataset_that_verifies(
    folder: Path, capsys: Captured
) -> None:
    damage(folder / "car" / "shard-a-1.parquet")
    assert ended("--data", "repair", "car") == 0
    told = capsys.readouterr().out
    assert "moved to car/set-aside" in told
    assert "car: whole; 2 whole shards with 3 episodes" in told
    assert ended("--data", "verify", "car") == 0


def test_inspect_writes_a_page_and_prints_a_table(folder: Path, capsys: Captured) -> None:
    assert ended("--data", "inspect", "car") == 0
    told = capsys.readouterr().out
    assert "Made-v0" in told
    assert told.endswith("page        car/inspect.html\n")
    assert (folder / "car" / "inspect.html").is_file()
    assert ended("--data", "verify", "car") == 0


@pytest.mark.parametrize(
    "words",
    [
        ["export", "--to", "npz", "car", "out"],
        ["export", "car", "out", "--to", "npz"],
        ["export", "car", "--to", "npz", "out"],
    ],
)
def test_export_takes_its_words_in_any_order(words: list[str], folder: Path) -> None:
    assert ended("--data", *words) == 0
    assert np.load(folder / "out" / "episode-000000.npz")["actions"].shape == (8, 2)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["verify", "nowhere"], 2, "nowhere: there is no such folder or file"),
        (["inspect", __file__], 2, "test_data.py: is no file of a dataset"),
        (["verify", "."], 8, ".: is no dataset: it has no manifest.json"),
        (["verify"], 2, "--data verify needs the folder of a dataset"),
        (["mend", "car"], 2, "--data mend: is none of verify, repair, inspect, export"),
        (["verfy", "car"], 2, "did you mean verify?"),
        (["export", "car", "out", "--to", "npy"], 2, "did you mean npz?"),
        (["export", "car", "out"], 2, "--data export needs --to and a format"),
        (["export", "car", "out", "--to", "zip"], 2, "--to zip: is none of minari, webdataset"),
        (["export", "car", "--to", "npz"], 2, "and a folder to write: PATH OUT"),
        (["verify", "car", "--to", "npz"], 2, "--to needs --data export"),
        (["export", "car", "car", "--to", "npz"], 2, "car: is there already; an export makes"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], code: int, told: str, folder: Path, capsys: Captured
) -> None:
    assert ended("--data", *words) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert told in said[0]


def test_an_export_that_fails_leaves_nothing(folder: Path, capsys: Captured) -> None:
    damage(folder / "car" / "shard-a-1.parquet")
    assert ended("--data", "export", "car", "out", "--to", "npz") == 8
    assert "cannot be read" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"car"}
