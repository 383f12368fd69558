"""The pool's side of one worker: starting its process, talking to it, ending it, naming its end."""

import multiprocessing
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection as pipes
from multiprocessing import reduction, resource_tracker
from multiprocessing.context import SpawnProcess

from workers.environments.base import EnvironmentSpec
from workers.layout import environment_names
from workers.owned_environments import MakeEnvironment
from workers.protocol import (
    Attach,
    Close,
    Command,
    Done,
    EpisodeSummary,
    Failed,
    GroupCommand,
    Reply,
    Reset,
    Restore,
    Step,
    post,
)
from workers.worker import IGNORED_SIGNALS, run_worker

CHILD_VARIABLES = {  # read once, when the interpreter starts or the libraries are loaded
    "PYTHONHASHSEED": "0",  # else the order of a set of words differs from run to run
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
KILL_GRACE = 5.0  # seconds within which the kernel must have ended a process after SIGKILL


class WorkerProcess:
    """One worker, of which there is one process at a time; a lost one is started anew.

    Attributes:
        index: the worker's number.
        rows: the indices in the pool of its environments, by group.
        spec: what the process said of its environments; None until they are built.
        building: the environment that the process builds, while it does.
        is_running: whether there is a process.
        is_attached: whether the process has mapped the shared arrays and takes commands.
        living: groups whose environments have been reset in this process.
        in_flight: commands without an answer, by group.
        answers: answers that nobody has asked for yet, by group.
        cut: games cut by the loss of a process and not yet reported, by group.
        restarts: how often the process was replaced.
        has_stepped: whether any process of this worker has answered a step.
        false_starts: the place where its processes were lost before that, once for each in a row.
        heard: monotonic seconds of the last sign of life, or since when one is waited for.
    """

    process: SpawnProcess
    connection: "pipes.Connection[Command, Reply]"

    def __init__(self, index: int, rows: tuple[range, ...], transfer_timeout: float) -> None:
        self.index = index
        self.rows = rows
        self.spec: EnvironmentSpec | None = None
        self.building = self.first_row
        self.is_running = False
        self.is_attached = False
        self.living: set[int] = set()
        self.in_flight: dict[int, GroupCommand] = {}
        self.answers: dict[int, Done] = {}
        self.cut: dict[int, list[EpisodeSummary]] = {}
        self.restarts = 0
        self.has_stepped = False
        self.false_starts: list[str] = []
        self.heard = 0.0
        self._transfer_timeout = transfer_timeout

    def __str__(self) -> str:
        return f"worker {self.index} (pid {self.process.pid}, {environment_names(self.rows)})"

    def start(
        self,
        make: MakeEnvironment,
        seeds: tuple[int, ...],
        lifeline: "pipes.Connection[None, None]",
    ) -> None:
        """Start a process; it answers `Ready` when its environments are built.

        `seeds`: one for each environment, see `OwnedEnvironments.build`.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=run_worker,
            args=(self.index, make, self.rows, seeds, theirs, lifeline, os.getpid()),
            name=f"worker-{self.index}",
            daemon=True,
        )
        try:
            _bound_transfers(ours, self._transfer_timeout)
            with birth_conditions():
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.process, self.connection = process, ours
        self.spec = None
        self.building = self.first_row
        self.is_running = True
        self.is_attached = False
        self.living.clear()
        self.heard = time.monotonic()

    def send(self, command: Command) -> None:
        """Send a command; a worker that cannot take it is found lost when its answer is awaited."""
        with suppress(OSError):
            post(self.connection, command)

    def attach(self, command: Attach, file_descriptor: int) -> None:
        """Hand the process the shared arrays, then the orders that have been waiting for it."""
        self.send(command)
        with suppress(OSError):
            reduction.send_handle(self.connection, file_descriptor, self.process.pid or 0)
        self.is_attached = True
        for waiting in self.in_flight.values():
            self.send(waiting)

    def order(self, command: GroupCommand) -> None:
        """Send a command to be answered, now or as soon as the process is attached."""
        self.in_flight[command.group] = command
        if self.is_attached:
            self.send(command)

    def take(self, answer: Done) -> None:
        """Keep an answer until someone asks for it."""
        match self.in_flight.pop(answer.group):
            case Reset():
                self.living.add(answer.group)
            case Step():
                self.has_stepped = True
        self.answers[answer.group] = answer

    def count_false_start(self, place: str) -> None:
        """Remember where a process was lost before its first step; another place counts anew."""
        self.false_starts = [each for each in self.false_starts if each == place] + [place]

    def forget_orders(self) -> list[GroupCommand]:
        """Return the unanswered commands, which will never be answered."""
        commands = list(self.in_flight.values())
        self.in_flight.clear()
        return commands

    @property
    def is_resetting(self) -> bool:
        """Whether the process still owes the answer to a reset."""
        return any(isinstance(command, Reset) for command in self.in_flight.values())

    @property
    def is_restoring(self) -> bool:
        """Whether the process still owes the answer to a restore."""
        return any(isinstance(command, Restore) for command in self.in_flight.values())

    @property
    def first_row(self) -> int:
        """The first of the worker's environments."""
        return next(rows.start for rows in self.rows if rows)

    def dismiss(self) -> None:
        """Ask the process to close its environments and exit, without waiting for anything."""
        os.set_blocking(self.connection.fileno(), False)
        self.send(Close())

    def describe_exit(self) -> str:
        """Wait for a process that is ending, and say how it ended."""
        self.process.join(KILL_GRACE)
        code = self.process.exitcode
        if code is None:
            return "closed its pipe and stayed"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    def end(self, grace: float) -> list[Failed]:
        """Give the process `grace` seconds to end by itself, then kill it.

        Returns:
            the failures that it still reported.
        """
        self.is_running = False
        self.process.join(grace)
        self.process.kill()
        self.process.join(KILL_GRACE)
        last_words = self._last_words()
        self.connection.close()
        with suppress(ValueError):  # not even SIGKILL has ended it: the kernel is stuck, not we
            self.process.close()
        return last_words

    def _last_words(self) -> list[Failed]:
        replies = []
        with suppress(EOFError, OSError):
            while self.connection.poll():
                replies.append(self.connection.recv())
        return [reply for reply in replies if isinstance(reply, Failed)]


def _bound_transfers(connection: "pipes.Connection[Command, Reply]", seconds: float) -> None:
    """Let no read or write of the pool's end of a pipe take longer than `seconds`.

    Messages that fit the socket's buffer never block; snapshots may not fit.
    """
    whole = int(seconds)
    limit = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


@contextmanager
def birth_conditions() -> Iterator[None]:
    """Give a new process its environment variables, and signals that wait until it ignores them.

    A process inherits its starter's blocked signals. Without this a Ctrl-C, which reaches the whole
    process group, would kill a worker that is still importing.
    """
    resource_tracker.ensure_running()  # it unblocks signals, so it must not start below
    before = {name: os.environ.get(name) for name in CHILD_VARIABLES}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED_SIGNALS)
    os.environ.update(CHILD_VARIABLES)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
