"""Files that are whole or not there, on disk and not only in the system's memory."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from configs.errors import StorageError

PART_PREFIX = ".writing-"  # of a file that is not whole yet
_BLOCK = 1 << 20  # bytes


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error that says what could not be written, and how much room there is."""
    room = ""
    with contextlib.suppress(OSError):
        room = f" ({shutil.disk_usage(path.parent).free:,} bytes free on its disk)"
    return StorageError(f"cannot write {path}: {error.strerror or error}{room}")


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write `path` so that a reader sees the old file or the new one, never a part.

    Raises:
        StorageError: it cannot be written; the old file is untouched.
    """
    try:
        temporary = _whole_temporary(path, content)
        try:
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def create_file(path: Path, content: bytes) -> bool:
    """Write `path` where there is none; return whether this call did.

    Of any number of processes on any machines that try at once, one succeeds: linking a name that
    is taken fails, on network file systems too.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        temporary = _whole_temporary(path, content)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    return True


def _whole_temporary(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def hash_of_file(
    path: Path, read: Callable[[int], None] = lambda _: None, *, start: int = 0
) -> str:
    """Return the SHA-256 of a file as hex digits.

    Args:
        path: the file.
        read: told the number of bytes after each block.
        start: the first byte that counts.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            digest.update(block)
            read(len(block))
    return digest.hexdigest()
