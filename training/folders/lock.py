"""Locks: one process writes to a run's folder, and one to a checkpoint."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError
from training.folders.files import read_json


def acquire_lock(path: Path, what: str, remedy: str) -> int:
    """Return the descriptor of the locked file; the kernel frees it with its holder's death.

    The holder's host, process id and start time stand in the file for the message, and for file
    systems without locks, where they alone decide.

    Args:
        path: the lock's file.
        what: is locked by it, in words.
        remedy: what to do while another process holds it, in words.

    Raises:
        ConfigurationError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    holder = read_json(path) or {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = False
    except BlockingIOError:
        held = True
    except OSError:
        held = bool(holder) and not _is_gone(holder)
    if held:
        os.close(descriptor)
        raise _in_use(path, holder, what, remedy)
    if not _leads_to(path, descriptor):  # its last holder has just removed it
        os.close(descriptor)
        return acquire_lock(path, what, remedy)
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process_start": process_start(os.getpid()),
    }
    os.ftruncate(descriptor, 0)
    with suppress(OSError):  # a full disk: the lock holds without the record
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
    return descriptor


def refuse_if_held(path: Path, what: str, remedy: str) -> None:
    """Refuse as `acquire_lock` does where another process holds the lock, as far as its file tells.

    Raises:
        ConfigurationError: a process holds it that is alive, or may be on its own host.
    """
    if not holder_is_gone(path):
        raise _in_use(path, read_json(path) or {}, what, remedy)


def release_lock(descriptor: int, remove: Path | None = None) -> None:
    """Free a lock; its empty file says that nobody holds it, unless that is to be removed."""
    os.ftruncate(descriptor, 0)
    if remove is not None and _leads_to(remove, descriptor):
        remove.unlink()
    os.close(descriptor)


def checkpoint_locks(path: Path) -> tuple[Path, ...]:
    """Return the locks' files of a checkpoint: of its place and, for a link, of what it leads to.

    Saving puts a file into the place of a link, which from then on leads nowhere.
    """
    places = (Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path)))
    return tuple(place.with_name(f".{place.name}.lock") for place in dict.fromkeys(places))


def holder_is_gone(path: Path) -> bool:
    """Whether nobody holds the lock, as far as its file tells: a holder elsewhere is believed.

    It is only read: to try the lock could keep a run from starting.
    """
    holder = read_json(path) or {}
    return not holder or _is_gone(holder)


def _in_use(path: Path, holder: Mapping[str, Any], what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} is in use by process {holder.get('pid', '?')} on host {holder.get('host', '?')} "
        f"(lock {path}); {remedy}"
    )


def _leads_to(path: Path, descriptor: int) -> bool:
    """Whether the file at `path` is the one that the descriptor is open on."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_gone(holder: Mapping[str, Any]) -> bool:
    """Whether the holder ran on this host and is no more (its number may have been given anew)."""
    if holder.get("host") != socket.gethostname():
        return False
    pid = str(holder.get("pid", ""))
    return not pid.isdecimal() or process_start(int(pid)) != holder.get("process_start")


def process_start(pid: int) -> str | None:
    """Return the start of process `pid` in clock ticks since boot (proc(5), field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
