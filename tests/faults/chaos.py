"""A schedule of faults drawn from one seed, and how each is done to a run under torchrun."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.disks import fill
from tests.records import last_row
from tests.runs import StartedRun, started

NAME = "demo"
RANKS = 2
SECONDS_TO_END = 90.0  # a rank that hangs is given up first, then torchrun waits for it
SECONDS_TO_CLEAN_UP = 10.0
SECONDS_BETWEEN_LOOKS = 0.02
DEADLINE = 250.0

# torchrun waits only this long for ranks that it asked to stop; a stopped one never answers.
ENVIRONMENT = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "5"}

ENDING = (
    "kill a rank",
    "kill torchrun",
    "kill every process",
    "hang a rank",
    "stop",
)
LASTING = ("pause a rank", "pause every process")
STORAGE = ("fill the disk", "start on a full disk")
ENVIRONMENTS = ("kill a worker", "hang a worker")
SIGNALS = (signal.SIGTERM, signal.SIGINT)  # SIGUSR1 would kill torchrun itself


@dataclass(frozen=True)
class Fault:
    """What happens to a run, to which rank, how long after its turn has come, for how long."""

    kind: str
    rank: int
    number: signal.Signals
    delay: float
    seconds: float


def draw_schedule(seed: str, length: int, kinds: Sequence[str]) -> list[Fault]:
    """Return `length` faults; each kind comes about equally often."""
    draw = random.Random(seed)
    deck: list[str] = []
    while len(deck) < length:
        deck += draw.sample(kinds, len(kinds))
    return [
        Fault(
            kind,
            rank=draw.randrange(RANKS),
            number=draw.choice(SIGNALS),
            delay=draw.uniform(0.0, 0.3),
            seconds=draw.uniform(0.3, 2.0),
        )
        for kind in deck[:length]
    ]


class Ride:
    """A run that is continued with the same command whatever happens to it.

    Args:
        folder: where it runs.
        command: of main.py, with --resume.
        disk: the small disk that it writes to, if there is one.
    """

    def __init__(self, folder: Path, command: Sequence[str], disk: Path | None) -> None:
        self.starts = 0
        self._folder = folder
        self._command = command
        self._disk = disk
        self._stack = ExitStack()
        self._start()

    def __enter__(self) -> "Ride":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def suffer(self, fault: Fault) -> None:
        """Let a fault happen; the run goes on afterwards, in new processes where it must."""
        time.sleep(fault.delay)
        deeds: dict[str, Callable[[Fault], None]] = {
            "kill a rank": lambda each: self.run.rank(each.rank).kill(),
            "kill torchrun": lambda _: self.run.process.kill(),
            "kill every process": lambda _: self.run.kill(),
            "hang a rank": lambda each: self.run.rank(each.rank).suspend(),
            "stop": self._stop,
            "pause a rank": lambda each: _pause([self.run.rank(each.rank)], each.seconds),
            "pause every process": lambda each: _pause(self.run.processes(), each.seconds),
            "fill the disk": self._fill,
            "start on a full disk": self._start_on_a_full_disk,
            "kill a worker": lambda each: _workers(self.run.rank(each.rank))[0].kill(),
            "hang a worker": lambda each: _workers(self.run.rank(each.rank))[0].suspend(),
        }
        deeds[fault.kind](fault)
        if fault.kind in ENDING:
            self._end()
            self._start()
        # Curves that failed on the full disk say so at the row after it.
        self.advance(2, may_end=fault.kind in STORAGE)

    def advance(self, updates: int, *, may_end: bool = False) -> None:
        """Wait for `updates` more, or as many as the processes of this start still have to do."""
        deadline = time.monotonic() + DEADLINE
        first: float | None = None
        while first is None or self._update() < first + updates:
            assert time.monotonic() < deadline, self.run.output
            if self.run.process.poll() is not None:
                assert may_end, f"it ended by itself:\n{self.run.output}"
                self._end()
                self._start()
                first, may_end = None, False
            if first is None and self._update() > 0:
                first = self._update()
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def advance_to(self, update: int) -> None:
        """Wait until that update is done."""
        while self._update() < update:
            self.advance(1)

    def finish(self) -> int:
        """Wait for the run's end; return torchrun's exit code."""
        return self.run.wait().code

    def _start(self) -> None:
        self._began = time.time()
        self.starts += 1
        self.run: StartedRun = self._stack.enter_context(
            started(self._folder, *self._command, ranks=RANKS, environment=ENVIRONMENT)
        )

    def _update(self) -> float:
        """Return the last update of the processes of this start, 0 before they have done any."""
        row = last_row(self._folder, NAME)
        is_new = row.get("wall_time", 0.0) > self._began
        return row["charts/updates"] if is_new else 0.0

    def _end(self) -> None:
        """Wait until nothing is left of the processes of this start."""
        assert self.run.wait(SECONDS_TO_END).code != 0, self.run.output
        assert self.run.left_after(SECONDS_TO_CLEAN_UP) == [], self.run.output
        self._stack.close()

    def _stop(self, fault: Fault) -> None:
        target = self.run.process if fault.seconds < 1.0 else self.run.rank(fault.rank)
        target.send_signal(fault.number)

    def _fill(self, fault: Fault) -> None:
        assert self._disk is not None
        ballast = fill(self._disk)
        time.sleep(fault.seconds)
        ballast.unlink()

    def _start_on_a_full_disk(self, fault: Fault) -> None:
        assert self._disk is not None
        self.run.process.kill()
        self._end()
        ballast = fill(self._disk)
        self._start()
        deadline = time.monotonic() + 5 * fault.seconds
        while self.run.process.poll() is None and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        ballast.unlink()


def _pause(processes: Sequence[psutil.Process], seconds: float) -> None:
    for process in processes:
        process.suspend()
    time.sleep(seconds)
    for process in processes:
        process.resume()


def _workers(rank: psutil.Process) -> list[psutil.Process]:
    """The workers themselves, below their keepers."""
    below = rank.children(recursive=True)
    return [each for each in below if "spawn_main" in " ".join(each.cmdline())]
