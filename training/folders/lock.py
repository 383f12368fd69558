"""The lock of a run's folder: one process writes to one name."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError
from training.folders.files import read_json


def acquire_lock(path: Path, name: str) -> int:
    """Return the descriptor of the locked file; the kernel frees it with its holder's death.

    The holder's host, process id and start time stand in the file for the message, and for file
    systems without locks, where they alone decide.
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
        raise ConfigurationError(
            f"run {name!r} is in use by process {holder.get('pid', '?')} on host "
            f"{holder.get('host', '?')} (lock {path}); wait for it or choose another --log_name"
        )
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process_start": process_start(os.getpid()),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(record).encode(), 0)
    return descriptor


def holder_is_gone(path: Path) -> bool:
    """Whether nobody holds the lock, as far as its file tells: a holder elsewhere is believed.

    It is only read: to try the lock could keep a run from starting.
    """
    holder = read_json(path) or {}
    return not holder or _is_gone(holder)


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
