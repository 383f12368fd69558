"""A program that trains, watched from outside between two of its marks of progress."""

import contextlib
import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kept_program import KeptProgram
from benchmarks.process_tree import ProcessTree

LOOK_EVERY = 5.0  # seconds between two looks at all processes, which cost some time themselves
GRACE = 10.0  # seconds to end by itself
LAST_LINES = 12  # of a failed program's output


class WatchError(Exception):
    """A program ended, or said nothing, before it had come far enough."""


@dataclass(frozen=True)
class Watched:
    """A program to be watched.

    Attributes:
        command: the command line.
        mark: finds a line of progress; its group is the env steps so far, and without a group each
            such line is one update.
        steps_per_update: env steps.
        variables: of its environment, beside those of this process.
        folder: where it starts; None for an empty one.
    """

    command: Sequence[str]
    mark: re.Pattern[str]
    steps_per_update: int
    variables: Mapping[str, str]
    folder: Path | None = None


@dataclass(frozen=True)
class Turn:
    """What a program took between its first mark and its last, with all its processes.

    Attributes:
        steps_per_second: env steps.
        cpu: microseconds per env step.
        memory: MB at most, shared pages once.
    """

    steps_per_second: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Mark:
    """How far a program was, and what it had taken."""

    env_steps: int
    seconds: float
    cpu_seconds: float


@dataclass
class Progress:
    """The marks of a program that prints them.

    Attributes:
        watched: the program.
        tree: its processes.
        first, last: marks, None before there is one.
        lines: the last of its output.
    """

    watched: Watched
    tree: ProcessTree
    first: Mark | None = None
    last: Mark | None = None
    lines: list[str] = field(default_factory=list)
    _updates: int = 0

    @property
    def env_steps(self) -> int:
        """Between the two marks."""
        return self.last.env_steps - self.first.env_steps if self.first and self.last else 0

    def read(self, line: str) -> None:
        """Take in a line of the program's output."""
        self.lines = [*self.lines[1 - LAST_LINES :], line]
        found = self.watched.mark.search(line)
        if found is None:
            return
        self._updates += 1
        groups = found.groups()
        steps = int(groups[0]) if groups else self._updates * self.watched.steps_per_update
        self.last = Mark(steps, time.perf_counter(), self.tree.cpu_seconds())
        self.first = self.first or self.last

    def quoted(self, reason: str) -> str:
        """Return a reason with the program's last words."""
        return "\n".join([reason, *self.lines])

    def turn(self) -> Turn:
        """Return the figures between the two marks; there must be two."""
        assert self.first
        assert self.last
        seconds = self.last.seconds - self.first.seconds
        cpu = self.last.cpu_seconds - self.first.cpu_seconds
        return Turn(self.env_steps / seconds, cpu / self.env_steps * 1e6, self.tree.peak_memory)


def watch(watched: Watched, updates: int, patience: float) -> Turn:
    """Let a program run until it has made its first mark and so many updates more; then end it.

    Args:
        watched: the program.
        updates: those that count.
        patience: seconds that may pass between two marks, start-up included.

    Raises:
        WatchError: it ended before, or was silent for too long; carries its last words.
    """
    wanted = updates * watched.steps_per_update
    with tempfile.TemporaryDirectory(prefix="scout-peer-", ignore_cleanup_errors=True) as empty:
        process = _start(watched, watched.folder or Path(empty))
        progress = Progress(watched, ProcessTree(process.pid))
        try:
            for line in _lines(process, progress, patience):
                progress.read(line)
                if progress.env_steps >= wanted:
                    return progress.turn()
        finally:
            _end(process)
        raise WatchError(progress.quoted(f"ended with {process.returncode}"))


def _start(watched: Watched, folder: Path) -> KeptProgram:
    try:
        return KeptProgram(
            watched.command,
            cwd=folder,
            env={**os.environ, **watched.variables, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise WatchError(f"cannot be started: {error}") from error


def _lines(process: KeptProgram, progress: Progress, patience: float) -> Iterator[str]:
    """Yield what a program prints, line by line, to the end; look at its processes meanwhile."""
    assert process.stdout is not None
    descriptor, rest, heard, last = process.stdout.fileno(), b"", time.monotonic(), progress.last
    while True:
        if progress.last is not last:
            heard, last = time.monotonic(), progress.last
        if time.monotonic() - heard > patience:
            raise WatchError(progress.quoted(f"made no progress for {patience:g} s"))
        ready, _, _ = select.select([descriptor], [], [], min(LOOK_EVERY, patience))
        if not ready:
            progress.tree.cpu_seconds()
            continue
        piece = os.read(descriptor, 65536)
        if not piece:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")


def _end(process: KeptProgram) -> None:
    """End a program and all it has started."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    process.kill()
    process.wait()  # its keeper ends last: the next has all cores
    if process.stdout is not None:
        process.stdout.close()
