"""The pool's side of one worker: starting its process, talking to it, ending it, naming its end."""

import os
import time
from contextlib import suppress
from multiprocessing import connection as pipes
from multiprocessing import reduction
from multiprocessing.context import SpawnProcess

from workers.environments.base import EnvironmentSpec
from workers.processes.spawning import describe_exit, end_at_once, order_end, spawn
from workers.shared.layout import environment_names
from workers.shared.protocol import (
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
from workers.stepping.owned_environments import MakeEnvironment
from workers.supervision.worker import run_worker


class WorkerProcess:
    """One worker, of which there is one process at a time; a lost one is started anew.

    `process` is the keeper of the worker's own process; it ends last, and as that did.

    Attributes:
        index: the worker's number.
        process_id: that of the worker's own process, as soon as that has told.
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
        had_to_be_killed: whether `end` found it still at work when its time was over.
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
        self.had_to_be_killed = False
        self.process_id: int | None = None
        self._transfer_timeout = transfer_timeout

    def __str__(self) -> str:
        return f"worker {self.index} (pid {self.process_id}, {environment_names(self.rows)})"

    def start(
        self,
        make: MakeEnvironment,
        seeds: tuple[int, ...],
        lifeline: "pipes.Connection[None, None]",
    ) -> None:
        """Start a process; it answers `Ready` when its environments are built.

        `seeds`: one for each environment, see `OwnedEnvironments.build`.
        """
        self.process, self.connection = spawn(
            run_worker,
            (self.index, make, self.rows, seeds),
            lifeline,
            name=f"worker-{self.index}",
            transfer_timeout=self._transfer_timeout,
        )
        self.process_id = self.process.pid
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
        return describe_exit(self.process)

    def kill(self) -> None:
        """Let the process and all programs of its environments be killed, without waiting."""
        order_end(self.process)

    def end(self, grace: float) -> list[Failed]:
        """Give the process `grace` seconds to end by itself, then kill it.

        Returns:
            the failures that it still reported.
        """
        self.is_running = False
        self.process.join(grace)
        last_words, has_left = self._last_words()
        self.had_to_be_killed = self.process.is_alive() and not has_left
        end_at_once(self.process)
        self.connection.close()
        return last_words

    def _last_words(self) -> tuple[list[Failed], bool]:
        """Return the failures in the pipe, and whether the process has closed its end of it."""
        failures = []
        try:
            while self.connection.poll():
                reply = self.connection.recv()
                if isinstance(reply, Failed):
                    failures.append(reply)
        except (EOFError, OSError):
            return failures, True
        return failures, False
