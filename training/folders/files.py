"""Files that are written whole or not at all, and the error where they cannot be."""

import contextlib
import errno
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, FullDiskError, StorageError
from configs.reading import printable

PART_PREFIX = ".writing-"  # of a file that is not whole yet
LONGEST_ADDITION = (
    "previous.ckpt.0123456789abcdef.tmp"  # to a checkpoint's name while it is written
)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # of the disk, and of what its user may take of it


def storage_error(path: Path, error: OSError, num_bytes: int | None = None) -> StorageError:
    """Return the error that says what could not be written and, on a full disk, for what room."""
    text = f"cannot write {path}: {error.strerror or error}"
    if error.errno not in NO_ROOM:
        return StorageError(text)
    room = "" if num_bytes is None else f"{num_bytes:,} bytes needed, "
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        text = f"{text} ({room}{free:,} bytes free on its disk)"
    return FullDiskError(f"{text}; make room there")


def check_is_file(path: Path) -> None:
    """Refuse what is there and no file: to read a pipe may take for ever.

    Raises:
        OSError: it is a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Is a pipe or a device, not a file")


def check_writable(path: Path, flag: str) -> None:
    """Refuse a file that could not be written later, when it would cost what it was to hold.

    Args:
        path: the file, which need not be there, nor its folder.
        flag: how the user gives it (`typed`).

    Raises:
        ConfigurationError: it is a folder, no file name, or in a folder that cannot be written.
    """
    try:
        check_is_file(path)
        (path.parent / f".{path.name}.{LONGEST_ADDITION}").exists()
        _check_place(path)
    except OSError as error:
        raise ConfigurationError(
            f"{flag}={printable(str(path))} cannot be written: {error.strerror}"
        ) from error


def check_room_for(path: Path) -> None:
    """Refuse a place of our own choice where a file could not be written later.

    Raises:
        StorageError: it is in a folder that cannot be written.
    """
    try:
        _check_place(path)
    except OSError as error:
        raise storage_error(path, error) from error


def _check_place(path: Path) -> None:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"no permission to write to {folder}")


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    Raises:
        StorageError: the disk is full or the file cannot be written; the old file is untouched.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary_name = tempfile.mkstemp(prefix=PART_PREFIX, dir=path.parent)
        temporary = Path(temporary_name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException as error:  # an interrupt, too, leaves no part behind
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise storage_error(path, error, len(content)) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in `path`, or None where there is none to be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
