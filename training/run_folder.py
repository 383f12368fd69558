"""The folder of a run: its name, its lock, what it was started with, and its last word.

    logs/runs/<name>/                  config.conf, manifest.json, metrics.jsonl, status.json, ...
    logs/tb_logs/<name>/               TensorBoard
    logs/torch_profiler_logs/<name>/   traces of the profiler

A name that already holds results is never overwritten without being asked, and two processes never
write to one name at once.
"""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from configs.errors import ConfigurationError, PeerLostError, ScoutError, StorageError

RunMode = Literal["fresh", "resume", "overwrite"]

LOCK_FILE = "run.lock"
STATUS_FILE = "status.json"
_PART_PREFIX = ".writing-"
# Written before the first update; alone they are no result, so a failed start keeps its name free.
_START_FILES = re.compile(r"run\.lock|status\.json|manifest\.json|config(-\d+)?\.conf")
_LOG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PACKAGES = (
    "torch",
    "numpy",
    "gymnasium",
    "ale-py",
    "gym-super-mario-bros",
    "nes-py",
    "opencv-python",
    "opencv-python-headless",
    "pydantic",
    "tensorboard",
)


def validate_log_name(name: str) -> str:
    """Return `name` if it can name a run's folders, else raise ConfigurationError."""
    if not _LOG_NAME.fullmatch(name):
        raise ConfigurationError(
            f"--log_name {name!r} cannot name a run: allowed are 1 to 128 letters, digits, "
            "'.', '_' and '-', not starting with '.' or '-'"
        )
    return name


def storage_error(path: Path, error: OSError, num_bytes: int | None = None) -> StorageError:
    """Return the error that says what could not be written, and how much room there is."""
    room = ""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        needed = "" if num_bytes is None else f"{num_bytes:,} bytes needed, "
        room = f" ({needed}{free:,} bytes free on its disk)"
    return StorageError(f"cannot write {path}: {error.strerror or error}{room}")


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    Raises:
        StorageError: the disk is full or the file cannot be written; the old file is untouched.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary_name = tempfile.mkstemp(prefix=_PART_PREFIX, dir=path.parent)
        temporary = Path(temporary_name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise storage_error(path, error, len(content)) from error


class RunFolder:
    """The paths and the start and end records of the run `name` under `root`.

    `open` makes the folders and holds the run's lock until `close`. An instance made directly holds
    no lock: a rank that is not the first one leaves its last word through it.

    Attributes:
        path, tensorboard_path, profiler_path: the run's three folders.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.name = validate_log_name(name)
        self.path = root / "runs" / name
        self.tensorboard_path = root / "tb_logs" / name
        self.profiler_path = root / "torch_profiler_logs" / name
        self._lock: int | None = None

    @classmethod
    def open(cls, root: Path, log_name: str, *, mode: RunMode) -> Self:
        """Lock the run's folder and make it ready for `mode`.

        fresh refuses a name that holds results; resume keeps what is there; overwrite removes what
        this name holds, and nothing else.

        Raises:
            ConfigurationError: the name is bad or taken, its run is under way, or a folder cannot
                be written.
        """
        run = cls(root, log_name)
        try:
            for folder in (run.path, run.tensorboard_path):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(13, "no permission to write", str(folder))
            run._lock = _acquire_lock(run.path / LOCK_FILE, log_name)
            run._prepare(mode)
        except OSError as error:
            run.close()
            raise ConfigurationError(
                f"the run's folder {error.filename or run.path} cannot be used: "
                f"{error.strerror or error}"
            ) from error
        except ScoutError:
            run.close()
            raise
        return run

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def holds_results(self) -> bool:
        """Whether a later run under this name would overwrite anything worth keeping."""
        status = self.read_status() or {}
        if status.get("env_steps") or status.get("checkpoint"):
            return True
        own = (file for file in _files(self.path) if not _START_FILES.fullmatch(file.name))
        return any(
            file.stat().st_size > 0
            for files in (own, _files(self.tensorboard_path), _files(self.profiler_path))
            for file in files
        )

    def write_manifest(
        self,
        *,
        config_text: str,
        versions: Mapping[str, str],
        command: Sequence[str],
        seed: int,
        commit: str | None = None,
    ) -> None:
        """Record one start: the resolved configuration and what it ran with.

        A resumed run adds its start to the list; the configurations of earlier starts are kept as
        config-1.conf, config-2.conf, ... in the order of that list.
        """
        starts = (_read_json(self.path / "manifest.json") or {}).get("starts", [])
        config_path = self.path / "config.conf"
        if starts and config_path.exists():
            config_path.replace(self.path / f"config-{len(starts)}.conf")
        start = {
            "time": _now(),
            "command": list(command),
            "seed": seed,
            "commit": commit or versions.get("commit", "unknown"),
            "versions": dict(versions),
        }
        replace_file(config_path, config_text.encode())
        self._write_json("manifest.json", {"log_name": self.name, "starts": [*starts, start]})

    def write_status(
        self,
        code: int | None,
        reason: str,
        *,
        rank: int,
        update: int,
        env_steps: int,
        checkpoint: Path | None,
    ) -> None:
        """Write the run's last word (exit code, reason in words, who, when, last checkpoint).

        `code` is None while the run is under way. A rank that lost its peer does not overwrite the
        word of the rank that failed.
        """
        earlier = (self.read_status() or {}).get("code")
        if code == PeerLostError.exit_code and earlier in {1, 2, 3, 4, 5, 7}:
            return
        status = {
            "code": code,
            "reason": reason,
            "rank": rank,
            "update": update,
            "env_steps": env_steps,
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "time": _now(),
        }
        self._write_json(STATUS_FILE, status)

    def read_status(self) -> dict[str, Any] | None:
        """Return what `write_status` wrote last, None if there is nothing readable."""
        return _read_json(self.path / STATUS_FILE)

    def _prepare(self, mode: RunMode) -> None:
        """Keep, clear or refuse what lies under this name, and say that the run is under way."""
        for part in self.path.glob(f"{_PART_PREFIX}*"):
            part.unlink()
        if mode == "fresh" and self.holds_results():
            raise ConfigurationError(
                f"run {self.name!r} already holds results in {self.path} or "
                f"{self.tensorboard_path}; continue it with --resume, replace it with --overwrite, "
                f"or choose another name, for instance --log_name={_next_name(self)}"
            )
        earlier = (self.read_status() or {}) if mode == "resume" else {}
        if mode != "resume":
            for folder in (self.path, self.tensorboard_path, self.profiler_path):
                _clear(folder)
        checkpoint = earlier.get("checkpoint")
        self.write_status(
            None,
            "under way",
            rank=0,
            update=earlier.get("update", 0),
            env_steps=earlier.get("env_steps", 0),
            checkpoint=Path(checkpoint) if checkpoint else None,
        )

    def _write_json(self, file_name: str, content: Mapping[str, Any]) -> None:
        replace_file(self.path / file_name, (json.dumps(content, indent=2) + "\n").encode())


def next_free_name(root: Path, name: str) -> str:
    """Return `name`, or `name-2`, `name-3`, ...: the first that has no folder under `root`."""
    run = RunFolder(root, name)
    taken = any(path.exists() for path in (run.path, run.tensorboard_path, run.profiler_path))
    return _next_name(run) if taken else name


def collect_versions() -> dict[str, str]:
    """Return what the figures of a run depend on: packages, Python, machine, commit.

    Nothing is imported to find out. "commit" ends in "+changes" where tracked files differ from
    it, and is "unknown" where this is no git checkout of its own.
    """
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    versions["platform"] = platform.platform()
    versions["cpu"] = _cpu_model()
    versions["cores"] = str(len(os.sched_getaffinity(0)))
    versions["commit"] = project_commit(Path(__file__).resolve().parent.parent)
    return versions


def project_commit(project: Path) -> str:
    """Return the commit checked out in `project`, as `collect_versions` gives it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != project:
            return "unknown"
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def software_versions() -> dict[str, str]:
    """Return those of `collect_versions` that must be the same on all ranks."""
    machine = ("platform", "cpu", "cores")
    return {name: text for name, text in collect_versions().items() if name not in machine}


def _next_name(run: RunFolder) -> str:
    siblings = (run.path, run.tensorboard_path, run.profiler_path)
    number = 2
    while any(path.with_name(f"{run.name}-{number}").exists() for path in siblings):
        number += 1
    return f"{run.name}-{number}"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _clear(folder: Path) -> None:
    """Remove everything in `folder` except the lock; a link is removed, never followed."""
    if not folder.exists():
        return
    for child in folder.iterdir():
        if child.name == LOCK_FILE:
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _acquire_lock(path: Path, name: str) -> int:
    """Return the descriptor of the locked file; the kernel frees it with its holder's death.

    The holder's host, process id and start time stand in the file for the message, and for file
    systems without locks, where they alone decide.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    holder = _read_json(path) or {}
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
        "process_start": _process_start(os.getpid()),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(record).encode(), 0)
    return descriptor


def _is_gone(holder: Mapping[str, Any]) -> bool:
    """Whether the holder ran on this host and is no more (its number may have been given anew)."""
    if holder.get("host") != socket.gethostname():
        return False
    return _process_start(int(holder["pid"])) != holder.get("process_start")


def _process_start(pid: int) -> str | None:
    """Return the start of process `pid` in clock ticks since boot (proc(5), field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
