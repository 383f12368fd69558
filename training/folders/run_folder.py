"""The folder of a run: its name, its lock, what it was started with, and its last word.

    logs/runs/<name>/                  config.conf, manifest.json, metrics.jsonl, status.json, ...
    logs/tb_logs/<name>/               TensorBoard
    logs/torch_profiler_logs/<name>/   traces of the profiler

A name that already holds results is never overwritten without being asked, and two processes never
write to one name at once.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from configs.errors import ConfigurationError, PeerLostError, ScoutError
from configs.typed import typed
from training.folders.files import PART_PREFIX, read_json, replace_file
from training.folders.lock import acquire_lock, checkpoint_locks, refuse_if_held, release_lock

RunMode = Literal["fresh", "resume", "anew", "overwrite"]

LOGS = Path("logs")
LOCK_FILE = "run.lock"
EVALUATION_FOLDER = "evaluation"  # in the run's folder and in TensorBoard's
STATUS_FILE = "status.json"
# Written before the first update; alone they are no result, so a failed start keeps its name free.
_START_FILES = re.compile(r"run\.lock|status\.json|manifest\.json|config(-\d+)?\.conf|report\.html")
# What training writes there; reports, evaluations and other people's files are none of it.
_OF_TRAINING = re.compile(
    _START_FILES.pattern + r"|metrics\.jsonl|visits\.npz|stacks-rank\d+\.txt|non_finite-rank\d+\.pt"
)
_LOG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def validate_log_name(name: str) -> str:
    """Return `name` if it can name a run's folders, else raise ConfigurationError."""
    if not _LOG_NAME.fullmatch(name):
        raise ConfigurationError(
            f"{typed('--log_name')} {name!r} cannot name a run: allowed are 1 to 128 letters, "
            "digits, '.', '_' and '-', not starting with '.' or '-'"
        )
    return name


class RunFolder:
    """The paths and the start and end records of the run `name` under `root`.

    `open` makes the folders and holds the run's locks until `close`. An instance made directly
    holds none: a rank that is not the first one leaves its last word through it.

    Attributes:
        path, tensorboard_path, profiler_path: the run's three folders.
        was_left_open: whether `open` met a run to resume that had left no word of its end.
        flag: by which the user names the run.
    """

    flag: ClassVar[str] = "--log_name"

    def __init__(self, root: Path, name: str) -> None:
        self.name = validate_log_name(name)
        folders = (root / folder / name for folder in ("runs", "tb_logs", "torch_profiler_logs"))
        self._lay_out(*folders)

    def _lay_out(self, path: Path, tensorboard_path: Path, profiler_path: Path) -> None:
        self.path = path
        self.tensorboard_path = tensorboard_path
        self.profiler_path = profiler_path
        self.was_left_open = False
        self._locks = ExitStack()

    @property
    def in_words(self) -> str:
        """The run, as a message names it."""
        return f"run {self.name!r}"

    @classmethod
    def open(
        cls, root: Path, log_name: str, *, mode: RunMode, checkpoint: Path | None = None
    ) -> Self:
        """Lock the run's folder, and the checkpoint if one is given, and make it ready for `mode`.

        fresh refuses a name that holds results; resume keeps what is there; anew removes what
        training left of a run that saved nothing, and keeps evaluations and all else; overwrite
        removes what this name holds, and nothing else.

        Raises:
            ConfigurationError: the name is bad or taken, its run is under way, another run writes
                the checkpoint, or a folder cannot be written.
        """
        run = cls(root, log_name)
        try:
            for folder in (run.path, run.tensorboard_path):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(13, "no permission to write", str(folder))
            lock = acquire_lock(run.path / LOCK_FILE, *run._lock_words())
            run._locks.callback(release_lock, lock)
            if checkpoint is not None:
                run.lock_checkpoint(checkpoint)
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

    def refuse_if_under_way(self) -> None:
        """Refuse a run that another process is at now, as far as its lock tells.

        Raises:
            ConfigurationError: names that process and its host.
        """
        refuse_if_held(self.path / LOCK_FILE, *self._lock_words())

    def lock_checkpoint(self, path: Path) -> None:
        """Keep other runs from writing the checkpoint at `path`, until `close`.

        Raises:
            ConfigurationError: another run writes it.
        """
        for place in checkpoint_locks(path):
            place.parent.mkdir(parents=True, exist_ok=True)
            lock = acquire_lock(place, *_checkpoint_words(path))
            self._locks.callback(release_lock, lock, place)

    def close(self) -> None:
        """Release the locks."""
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _lock_words(self) -> tuple[str, str]:
        """Return what the run's lock is about, and what to do while another process has it."""
        remedy = f"wait for it or choose another {typed(self.flag)}"
        return f"{self.in_words} is under way: its name", remedy

    def holds_results(self) -> bool:
        """Whether a later run under this name would overwrite anything worth keeping."""
        status = self.read_status() or {}
        return bool(status.get("env_steps") or status.get("checkpoint") or self._results())

    def _results(self) -> list[Path]:
        """Return the files that a start alone does not leave."""
        own = (file for file in _files(self.path) if not _START_FILES.fullmatch(file.name))
        return [
            file
            for files in (own, _files(self.tensorboard_path), _files(self.profiler_path))
            for file in files
            if file.stat().st_size > 0
        ]

    def _holds_only_evaluations(self) -> bool:
        """Whether no run had this name yet: --eval wrote here what other runs' checkpoints did."""
        folders = {self.path / EVALUATION_FOLDER, self.tensorboard_path / EVALUATION_FOLDER}
        is_unstarted = self.read_status() is None
        return is_unstarted and all(folders & set(file.parents) for file in self._results())

    def write_manifest(
        self,
        *,
        config_text: str,
        versions: Mapping[str, str],
        command: Sequence[str],
        seed: int,
        commit: str | None = None,
        launcher: str = "",
        env_steps: int | None = None,
    ) -> None:
        """Record one start: the resolved configuration, what it ran with and who started it.

        A resumed run adds its start to the list; the configurations of earlier starts are kept as
        config-1.conf, config-2.conf, ... in the order of that list. A start tells at which env
        steps it begins, those of its checkpoint, where env steps are what the run counts.
        """
        starts = (read_json(self.path / "manifest.json") or {}).get("starts", [])
        config_path = self.path / "config.conf"
        if starts and config_path.exists():
            config_path.replace(self.path / f"config-{len(starts)}.conf")
        start = {
            "time": _now(),
            "command": list(command),
            "seed": seed,
            "commit": commit or versions.get("commit", "unknown"),
            "launcher": launcher,
            "versions": dict(versions),
            **({} if env_steps is None else {"env_steps": env_steps}),
        }
        replace_file(config_path, config_text.encode())
        self._write_json("manifest.json", {"log_name": self.name, "starts": [*starts, start]})

    def was_started_by(self, launcher: str) -> bool:
        """Whether the last start under this name is one of `launcher`'s."""
        starts = (read_json(self.path / "manifest.json") or {}).get("starts", [])
        return bool(starts) and starts[-1].get("launcher") == launcher

    def write_status(
        self,
        code: int | None,
        reason: str,
        *,
        rank: int,
        update: int,
        env_steps: int,
        checkpoint: Path | None,
        random_steps: int = 0,
    ) -> None:
        """Write the run's last word (exit code, reason in words, who, when, last checkpoint).

        `code` is None while the run is under way. A rank that lost its peer does not overwrite the
        word of the rank that failed, or was ended by a signal. A start that ended before it saved
        anything, because it was refused perhaps, does not take away what is known of the run: its
        last checkpoint, and where it was.
        """
        earlier = self.read_status() or {}
        found = earlier.get("code")
        if code == PeerLostError.exit_code and (found in {1, 2, 3, 4, 5, 7} or (found or 0) > 128):
            return
        if checkpoint is None and earlier.get("checkpoint"):
            checkpoint = Path(earlier["checkpoint"])
            if update == 0:
                update, env_steps = earlier.get("update", 0), earlier.get("env_steps", 0)
        status = {
            "code": code,
            "reason": reason,
            "rank": rank,
            "update": update,
            "env_steps": env_steps,
            "random_steps": random_steps or earlier.get("random_steps", 0),
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "time": _now(),
        }
        self._write_json(STATUS_FILE, status)

    def read_status(self) -> dict[str, Any] | None:
        """Return what `write_status` wrote last, None if there is nothing readable."""
        return read_json(self.path / STATUS_FILE)

    def _prepare(self, mode: RunMode) -> None:
        """Keep, clear or refuse what lies under this name, and say that the run is under way."""
        for part in self.path.glob(f"{PART_PREFIX}*"):
            part.unlink()
        if mode == "fresh":
            self._refuse_taken()
        earlier = (self.read_status() or {}) if mode == "resume" else {}
        self.was_left_open = bool(earlier) and earlier.get("code") is None
        if mode == "anew":
            self._remove_training()
        elif mode != "resume":
            self._remove_all()
        checkpoint = earlier.get("checkpoint")
        self.write_status(
            None,
            "under way",
            rank=0,
            update=earlier.get("update", 0),
            env_steps=earlier.get("env_steps", 0),
            checkpoint=Path(checkpoint) if checkpoint else None,
        )

    def _refuse_taken(self) -> None:
        """Refuse a name under which there is anything worth keeping."""
        if not self.holds_results():
            return
        if self._holds_only_evaluations():
            raise ConfigurationError(
                f"{self.path} or {self.tensorboard_path} holds evaluations, and no run: --eval "
                f"wrote them under {self.name!r}; choose another name, for instance "
                f"{typed('--log_name', _next_name(self))}, or remove them with "
                f"{typed('--overwrite')}"
            )
        raise ConfigurationError(
            f"run {self.name!r} already holds results in {self.path} or "
            f"{self.tensorboard_path}; continue it with {typed('--resume')}, replace it with "
            f"{typed('--overwrite')}, or choose another name, for instance "
            f"{typed('--log_name', _next_name(self))}"
        )

    def _remove_training(self) -> None:
        """Remove what training left of a run that saved nothing; evaluations and all else stay."""
        clear_folder(self.tensorboard_path)
        for file in _files(self.path):
            if _OF_TRAINING.fullmatch(file.name) and file.name != LOCK_FILE:
                file.unlink()

    def _remove_all(self) -> None:
        """Remove what this name holds."""
        for folder in (self.path, self.tensorboard_path, self.profiler_path):
            clear_folder(folder)

    def _write_json(self, file_name: str, content: Mapping[str, Any]) -> None:
        replace_file(self.path / file_name, (json.dumps(content, indent=2) + "\n").encode())


def refuse_if_written(checkpoint: Path) -> None:
    """Refuse a checkpoint that a run which is under way writes, as far as its lock tells.

    Raises:
        ConfigurationError: names that run's process and its host.
    """
    for place in checkpoint_locks(checkpoint):
        refuse_if_held(place, *_checkpoint_words(checkpoint))


def _checkpoint_words(path: Path) -> tuple[str, str]:
    """Return what a checkpoint's lock is about, and what to do while another process has it."""
    return typed("--save_model_path", path), "wait for it or choose another file"


def next_free_name(root: Path, name: str) -> str:
    """Return `name`, or `name-2`, `name-3`, ...: the first that has no folder under `root`."""
    run = RunFolder(root, name)
    taken = any(path.exists() for path in (run.path, run.tensorboard_path, run.profiler_path))
    return _next_name(run) if taken else name


def _next_name(run: RunFolder) -> str:
    siblings = (run.path, run.tensorboard_path, run.profiler_path)
    number = 2
    while any(path.with_name(f"{run.name}-{number}").exists() for path in siblings):
        number += 1
    return f"{run.name}-{number}"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def clear_folder(folder: Path) -> None:
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


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
