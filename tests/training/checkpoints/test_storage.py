"""Checkpoint files: whole or refused, by name and reason; a save that fails loses nothing."""

import contextlib
import errno
import io
import os
import random
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import CheckpointError, StorageError
from tests.checkpoint_files import file_of, payload
from training.checkpoints.storage import (
    HEADER_SIZE,
    MAGIC,
    VERSION,
    Payload,
    Saver,
    companions,
    is_whole,
    load_payload,
    newest_whole,
    pack,
    read_checkpoint,
    unpack_payload,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demo.ckpt"


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `num_bytes`; writes fail as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_refused(path: Path, reason: str = "") -> None:
    assert not is_whole(path)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_what_was_saved_is_read_back_to_the_last_bit(path: Path) -> None:
    saved: Payload = {
        "tensor": torch.tensor([0.1, float("nan"), -0.0]),
        "double": torch.tensor(1 / 3, dtype=torch.float64),
        "bytes": torch.zeros(0, dtype=torch.uint8),
        "numbers": [1, 2.5, float("-inf")],
        "text": "Größe",
    }
    Saver(path).save(saved, is_best=False)
    found = load_payload(path)
    assert found["tensor"].numpy().tobytes() == saved["tensor"].numpy().tobytes()
    assert found["double"].item() == 1 / 3
    assert found["bytes"].numel() == 0
    assert found["numbers"] == saved["numbers"]
    assert found["text"] == saved["text"]


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (0, "empty"),
        (len(MAGIC) - 1, "does not begin as one"),
        (len(MAGIC), "ends within its header"),
        (HEADER_SIZE - 1, "ends within its header"),
        (HEADER_SIZE, "SHA-256"),
        (HEADER_SIZE + 100, "SHA-256"),
    ],
)
def test_a_cut_file_is_refused_with_what_is_wrong_with_it(
    path: Path, length: int, reason: str
) -> None:
    path.write_bytes(file_of(pack(payload(1)))[:length])
    assert_refused(path, reason)


def test_plain_torch_reads_what_follows_the_header(path: Path) -> None:
    """As docs/troubleshooting.md shows it, for those who have the file and not this program."""
    Saver(path).save({"weights": torch.arange(3.0)}, is_best=False)
    found = torch.load(io.BytesIO(path.read_bytes()[44:]), weights_only=True)
    assert found["weights"].tolist() == [0.0, 1.0, 2.0]


def test_a_save_holds_the_file_in_memory_once(path: Path) -> None:
    size = 8_000_000
    for _ in range(2):  # the second one looks whether the first is whole
        tracemalloc.start()
        Saver(path).save({"numbers": torch.zeros(size, dtype=torch.uint8)}, is_best=False)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1.5 * size


def test_bytes_after_the_end_are_noticed(path: Path) -> None:
    path.write_bytes(file_of(pack(payload(1))) + b"\0")
    assert_refused(path, "SHA-256")


def test_a_missing_file_and_a_folder_are_refused(path: Path) -> None:
    assert_refused(path, "No such file")
    path.mkdir()
    assert_refused(path, "Is a directory")


def test_a_pipe_is_refused_unread(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match="Is a pipe or a device"):
        read_checkpoint(path)


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    torch.save(payload(1), path)
    assert_refused(path, "not a checkpoint of this program")


def test_another_format_version_is_refused_with_both_numbers(path: Path) -> None:
    path.write_bytes(file_of(pack(payload(1)), version=VERSION + 1))
    assert_refused(path, f"format {VERSION + 1}, but this program reads {VERSION}")


@given(st.binary(max_size=200))
def test_a_payload_that_is_no_payload_is_refused_whatever_it_is(data: bytes) -> None:
    with pytest.raises(CheckpointError, match="its payload is refused"):
        unpack_payload(data, Path("demo.ckpt"))


def test_a_damaged_payload_with_a_right_digest_is_refused_or_read(path: Path) -> None:
    data = pack(payload(1))
    draw = random.Random(2)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 20)):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        with contextlib.suppress(CheckpointError):
            unpack_payload(bytes(changed), path)


def test_a_refusal_offers_the_whole_checkpoints_of_the_run(path: Path) -> None:
    saver = Saver(path)
    saver.save(payload(1), is_best=True)
    saver.save(payload(2), is_best=False)
    newest, previous, best = companions(path)
    for damaged in (newest, best):
        damaged.unlink()  # they may be second names of one file
        damaged.write_bytes(b"torn")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(newest)
    assert str(caught.value).endswith(f"whole checkpoints beside it: {previous}")
    assert newest_whole(path) == previous
    previous.unlink()
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(newest)
    assert "beside it" not in str(caught.value)
    assert newest_whole(path) is None


@pytest.mark.parametrize("missing", ["demo.best.ckpt", "demo.previous.ckpt", "dmo.ckpt"])
def test_a_checkpoint_that_is_not_there_is_told_which_one_is(missing: str, path: Path) -> None:
    path = path.with_name("demo.ckpt")
    Saver(path).save(payload(1), is_best=False)
    with pytest.raises(CheckpointError, match=r"train first, or name one that is there") as caught:
        read_checkpoint(path.with_name(missing))
    assert str(caught.value).endswith(f"; whole checkpoints beside it: {path}")


def test_a_save_keeps_the_one_before_it_and_the_best(path: Path) -> None:
    saver = Saver(path)
    for number in range(1, 5):
        saver.save(payload(number), is_best=number == 2)
    assert [load_payload(p)["number"] for p in companions(path)] == [4, 3, 2]
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "demo.best.ckpt",
        "demo.ckpt",
        "demo.previous.ckpt",
    ]


def test_a_file_system_without_second_names_keeps_them_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    saver = Saver(path)
    for number in range(1, 5):
        saver.save(payload(number), is_best=number == 2)
    assert [load_payload(p)["number"] for p in companions(path)] == [4, 3, 2]
    assert len(list(path.parent.iterdir())) == 3


def test_a_torn_checkpoint_never_takes_the_place_of_the_good_one_before_it(path: Path) -> None:
    saver = Saver(path)
    saver.save(payload(1), is_best=False)
    saver.save(payload(2), is_best=False)
    path.write_bytes(path.read_bytes()[:-1])
    saver.save(payload(3), is_best=False)
    assert [load_payload(p)["number"] for p in companions(path)[:2]] == [3, 1]


def test_a_suffix_of_ones_own_still_gives_companions_of_their_own() -> None:
    assert companions(Path("runs/x.pt"))[1:] == (
        Path("runs/x.pt.previous.ckpt"),
        Path("runs/x.pt.best.ckpt"),
    )


def test_a_write_that_fails_keeps_every_checkpoint_and_leaves_no_part(path: Path) -> None:
    saver = Saver(path)
    saver.save(payload(1), is_best=True)
    saver.save(payload(2), is_best=False)
    before = {p: p.read_bytes() for p in path.parent.iterdir()}
    with largest_file(1000), pytest.raises(StorageError) as caught:
        saver.save({"weights": torch.zeros(10_000)}, is_best=True)
    assert str(path) in str(caught.value)
    assert "untouched" in str(caught.value)
    assert {p: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_first_write_that_fails_says_that_nothing_was_saved(path: Path) -> None:
    with largest_file(1000), pytest.raises(StorageError, match="nothing was saved before"):
        Saver(path).save({"weights": torch.zeros(10_000)}, is_best=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        Saver(tmp_path / "demo.ckpt").save(payload(1), is_best=False)
    tmp_path.chmod(0o700)


def test_a_folder_in_the_place_of_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Saver(tmp_path / "file" / "demo.ckpt").save(payload(1), is_best=False)
