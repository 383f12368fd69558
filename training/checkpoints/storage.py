"""Checkpoint files: written whole or not at all, and noticed if a single bit has changed.

Layout: MAGIC, a format version (4 bytes, big-endian), the SHA-256 of the payload (32 bytes), and
the payload, a torch.save of tensors, numbers and strings that is read back with weights_only.
"""

import hashlib
import io
import os
import pickle
import re
import secrets
import shutil
import struct
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

import torch

from configs.errors import CheckpointError, FullDiskError, StorageError
from configs.reading import printable
from training.folders.files import NO_ROOM, check_is_file

MAGIC = b"SCOUTCKP"
VERSION = 1
HEADER_SIZE = len(MAGIC) + 4 + 32

# What torch.load raises for bytes that are no payload: its restricted reader checks little itself.
_UNREADABLE = (
    *(pickle.UnpicklingError, struct.error, RuntimeError, EOFError, ValueError, LookupError),
    *(TypeError, AttributeError, AssertionError, ArithmeticError),
)

_COMPANION = re.compile(r"\.(previous|best)\.ckpt$")

Payload = dict[str, Any]


def pack(payload: Payload) -> bytes:
    """Return `payload` (tensors, numbers, strings, dicts and lists of them) as bytes."""
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


def unpack(data: bytes, device: torch.device | str = "cpu") -> Payload:
    """Return what `pack` was given; runs no code from `data`."""
    payload: Payload = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    return payload


def read_checkpoint(path: Path) -> bytes:
    """Return the verified payload of the file at `path`.

    Raises:
        CheckpointError: where the file is missing, foreign, torn or changed; names the other
            checkpoints of the same run that are whole.

    """
    try:
        check_is_file(path)
        return _verified(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {_why_unread(error)}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_offer(path)}") from error


def is_whole(path: Path) -> bool:
    """Whether the file at `path` is a checkpoint that can be read; takes no memory for it."""
    try:
        with path.open("rb") as file:
            digest = _promised_digest(file, path)
            return hashlib.file_digest(file, "sha256").digest() == digest
    except (CheckpointError, OSError):
        return False


def companions(path: Path) -> tuple[Path, Path, Path]:
    """Return the paths of a run's newest, previous and best checkpoint."""
    stem = path.with_suffix("") if path.suffix == ".ckpt" else path
    return path, Path(f"{stem}.previous.ckpt"), Path(f"{stem}.best.ckpt")


def newest_whole(path: Path) -> Path | None:
    """Return the newest readable checkpoint of the run that saves to `path`, if there is one."""
    return next((p for p in companions(path)[:2] if is_whole(p)), None)


@dataclass(frozen=True)
class Saver:
    """Writes a run's checkpoints to `path`, and keeps the one before it and the best."""

    path: Path

    @property
    def has_best(self) -> bool:
        """Whether a best checkpoint lies beside."""
        return companions(self.path)[2].exists()

    def save(self, payload: Payload, *, is_best: bool) -> None:
        """Write `payload`; an existing checkpoint stays whole whatever happens meanwhile.

        Raises:
            StorageError: where the file cannot be written; nothing that existed is lost.

        """
        data = pack(payload)
        newest, previous, best = companions(self.path)
        try:
            newest.parent.mkdir(parents=True, exist_ok=True)
            _remove_parts(self.path)
            temporary = _write_temporary(newest, data)
            try:
                if is_whole(newest):
                    _replace_by_link(newest, previous)
                if is_best:  # before the newest, which knows this score, so that a kill loses none
                    _replace_by_link(temporary, best)
                os.replace(temporary, newest)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(newest.parent)
        except OSError as error:
            raise _unsaved(newest, error, len(data) + HEADER_SIZE) from error


def _unsaved(path: Path, error: OSError, num_bytes: int) -> StorageError:
    text = f"{path}: could not save the checkpoint ({error.strerror})"
    has_saved = any(each.exists() for each in companions(path))
    kept = "what was saved before is untouched" if has_saved else "nothing was saved before"
    if error.errno not in NO_ROOM:
        return StorageError(f"{text}; {kept}")
    return FullDiskError(
        f"{text}; it needs {num_bytes:,} bytes and {_free_bytes(path.parent):,} are free; {kept}; "
        "make room there"
    )


def _verified(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            digest = _promised_digest(file, path)
            payload = file.read()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {_why_unread(error)}") from error
    if hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(f"{path}: torn or changed: its SHA-256 does not fit its content")
    return payload


def _promised_digest(file: BinaryIO, path: Path) -> bytes:
    """Read the header; return the SHA-256 that what follows it must have."""
    header = file.read(HEADER_SIZE)
    if not header.startswith(MAGIC):
        reason = "it is empty" if not header else "it does not begin as one"
        raise CheckpointError(f"{path}: not a checkpoint of this program: {reason}")
    if len(header) < HEADER_SIZE:
        raise CheckpointError(f"{path}: torn: it ends within its header")
    (version,) = struct.unpack(">I", header[len(MAGIC) : len(MAGIC) + 4])
    if version != VERSION:
        raise CheckpointError(f"{path}: format {version}, but this program reads {VERSION}")
    return header[len(MAGIC) + 4 :]


def load_payload(path: Path) -> Payload:
    """Read, verify and unpack the checkpoint at `path`.

    Raises:
        CheckpointError: as `read_checkpoint`, and where the payload holds anything but tensors,
            numbers and strings.

    """
    return unpack_payload(read_checkpoint(path), path)


def unpack_payload(data: bytes, path: Path) -> Payload:
    """Unpack verified bytes that came from `path`; CheckpointError where they hold code."""
    try:
        return unpack(data)
    except _UNREADABLE as error:
        raise CheckpointError(
            f"{path}: its payload is refused: {_reason(error)}{_offer(path)}"
        ) from error


def _reason(error: Exception) -> str:
    """Return what torch says in one line, without its advice to load the file in spite of it."""
    asked = re.search(r"[Uu]nsupported (?:global: )?(?:GLOBAL|class) (\S+)", str(error))
    if asked:
        return f"it asks for {printable(asked[1])}; only tensors, numbers and text are read"
    said = str(error).rpartition("WeightsUnpickler error:")[2].strip()
    return printable(re.split(r"\n|\. ", said)[0]) or type(error).__name__


def _offer(path: Path) -> str:
    """Name the whole checkpoints of the same run beside the one at `path`, for a message.

    Where there are none, because the name was mistyped perhaps, those whose names are like it.
    """
    newest = path.with_name(_COMPANION.sub(".ckpt", path.name))
    good = [other for other in companions(newest) if other != path and is_whole(other)]
    if not good and not path.exists():
        names = get_close_matches(path.name, [file.name for file in path.parent.glob("*.ckpt")])
        good = [path.with_name(name) for name in names if is_whole(path.with_name(name))]
    return f"; whole checkpoints beside it: {', '.join(map(str, good))}" if good else ""


def _remove_parts(path: Path) -> None:
    """Remove what a save to `path` left when it was killed."""
    names = "|".join(re.escape(each.name) for each in companions(path))
    part = re.compile(rf"\.(?:{names})\.[0-9a-f]{{16}}\.tmp")
    for file in path.parent.iterdir():
        if part.fullmatch(file.name):
            file.unlink(missing_ok=True)


def _write_temporary(path: Path, data: bytes) -> Path:
    """Write header and data to a file whose name no loader looks for; flush it to the disk."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC + struct.pack(">I", VERSION) + hashlib.sha256(data).digest())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _replace_by_link(source: Path, target: Path) -> None:
    """Make `target` a second name of `source` in one step."""
    temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}.tmp"
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)  # a file system without second names
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # rename of two names of one file leaves both


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def _why_unread(error: OSError) -> str:
    """Return the kernel's reason, and what to do where there is no such file."""
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; train first, or name one that is there"
    return str(error.strerror)
