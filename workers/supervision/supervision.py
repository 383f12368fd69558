"""Keeping workers alive: every wait has a deadline, every loss is named, the lost are replaced."""

import logging
import multiprocessing
import selectors
import threading
import time
from collections.abc import Callable
from multiprocessing.util import Finalize

from configs.errors import CheckpointError
from workers.environments.base import EnvironmentSpec
from workers.profilers.profiling import grace
from workers.shared.layout import Layout
from workers.shared.protocol import (
    MUST_BE_EQUAL,
    Attach,
    BadTransitionError,
    Born,
    Building,
    Done,
    Failed,
    GroupCommand,
    Phase,
    PoolStateError,
    Ready,
    Restoring,
    WorkerError,
    describe_progress,
)
from workers.shared.shared_arrays import SharedArrays
from workers.stepping.owned_environments import MakeEnvironment
from workers.supervision.limits import Limits, check_descriptors
from workers.supervision.lost_games import Seeds, substitute
from workers.supervision.worker_process import WorkerProcess

logger = logging.getLogger(__name__)

FALSE_STARTS = 3  # losses at the same place, with not one step in between, that are no accident
CLOSE_GRACE = 1.0  # seconds that environments have to close
STOPPED = 1.0  # seconds more than asked for in a wait show that this process was stopped


class Supervisor:
    """The processes of a pool: starts them, orders, awaits answers, replaces the lost.

    Attributes:
        workers: one per process, in the order of their rows.
        restarts: lost workers replaced so far.
    """

    def __init__(self, make: MakeEnvironment, layout: Layout, limits: Limits, seeds: Seeds) -> None:
        self.workers = [
            WorkerProcess(index, rows, limits.step_timeout)
            for index, rows in enumerate(layout.rows)
        ]
        self.restarts = 0
        self._make = make
        self._limits = limits
        self._seeds = seeds
        self._arrays: SharedArrays | None = None
        self._told: set[str] = set()  # places whose traceback has been shown
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._lifeline_end = multiprocessing.Pipe(duplex=False)
        # Without it, a pool that nobody closed would make the interpreter wait at its exit for
        # workers that ignore the signal it sends them.
        Finalize(self, _kill, args=(self.workers,), exitpriority=100)

    def start(self) -> EnvironmentSpec:
        """Start all processes, wait until all have built their environments; return their spec.

        Raises:
            ScoutError: what an environment's maker raised, as it was.
            WorkerError: any other failure; nothing is restarted.
        """
        check_descriptors(len(self.workers))
        for worker in self.workers:
            self._start(worker)
        self.wait(lambda worker: worker.spec is None)
        specs = {worker.spec: worker for worker in self.workers if worker.spec is not None}
        if len(specs) > 1:
            (spec, worker), (other_spec, other), *_ = specs.items()
            raise WorkerError(
                f"those of {worker} and of {other} differ in {spec.difference(other_spec)}: "
                f"{MUST_BE_EQUAL}"
            )
        (self._spec,) = specs
        return self._spec

    def attach(self, arrays: SharedArrays, command: Attach, file_descriptor: int) -> None:
        """Share `arrays`, whose memory file is given, with all workers, later ones included."""
        self._arrays = arrays
        self._attach_command = command
        self._file_descriptor = file_descriptor
        for worker in self.workers:
            worker.attach(command, file_descriptor)

    def order(self, worker: WorkerProcess, command: GroupCommand) -> None:
        """Send a command, or what takes its place if the environments it meant were lost."""
        if worker.restarts and command.group not in worker.living:
            self._order_instead(worker, command)
        else:
            worker.order(command)

    def wait(self, is_awaited: Callable[[WorkerProcess], bool]) -> None:
        """Listen to all workers until no worker is awaited any more.

        Raises:
            BadTransitionError: an environment returned what no batch may hold.
            WorkerError: more workers were lost than may be replaced.
        """
        now = time.monotonic()
        for worker in self.workers:
            worker.heard = now
        while awaited := [worker for worker in self.workers if is_awaited(worker)]:
            left = min(worker.heard + self._allowance(worker) for worker in awaited) - now
            events = self._selector.select(max(0.0, left))
            before, now = now, time.monotonic()
            if now - before - max(0.0, left) > STOPPED:  # by Ctrl-Z, say, and the workers too
                for worker in self.workers:
                    worker.heard = now
            talking: dict[WorkerProcess, bool] = {}
            for key, _ in events:
                worker, has_message = key.data
                talking[worker] = talking.get(worker, False) or has_message
            for worker, has_message in talking.items():
                self._listen(worker, has_message=has_message or worker.connection.poll())
            if not events:
                self._lose_overdue(awaited, now)

    def close(self) -> None:
        """End all processes: those that wait for a command at once, the others after a grace."""
        self._selector.close()
        running = [worker for worker in self.workers if worker.is_running]
        for worker in running:
            worker.dismiss()
        seconds = grace(CLOSE_GRACE)
        deadline = time.monotonic() + seconds
        for worker in running:
            name, was_at_play = str(worker), worker.spec is not None
            _end(worker, max(0.0, deadline - time.monotonic()))
            if worker.had_to_be_killed and was_at_play:
                activity = describe_progress(*self._progress(worker))
                late = f"did not end within {seconds:g} s of being asked to"
                logger.warning("%s %s and was killed %s", name, late, activity)
        self._lifeline.close()
        self._lifeline_end.close()

    def _start(self, worker: WorkerProcess) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise PoolStateError(
                "a pool starts and replaces workers, so it must be used from the main thread: "
                "workers die with the thread that started them"
            )
        try:
            seeds = self._seeds.building(worker.rows, worker.restarts)
            worker.start(self._make, seeds, self._lifeline)
        except OSError as error:
            raise WorkerError(f"worker {worker.index} could not be started: {error}") from error
        self._selector.register(worker.connection, selectors.EVENT_READ, (worker, True))
        self._selector.register(worker.process.sentinel, selectors.EVENT_READ, (worker, False))

    def _allowance(self, worker: WorkerProcess) -> float:
        """Seconds of silence that the worker may take for what it is doing."""
        takes_longer = worker.is_resetting or worker.is_restoring
        if worker.is_attached and not takes_longer and self._progress(worker)[1] != Phase.RESET:
            return self._limits.step_timeout
        return self._limits.reset_timeout

    def _progress(self, worker: WorkerProcess) -> tuple[int, int]:
        """Environment and phase that the worker noted last."""
        if self._arrays is None or not worker.is_attached:
            return worker.building, Phase.BUILD
        environment, phase = self._arrays.progress[worker.index].tolist()
        return environment, phase

    def _step_under_way(self, worker: WorkerProcess) -> str:
        environment, phase = self._progress(worker)
        if self._arrays is None or phase != Phase.STEP:
            return ""
        return self._arrays.describe_step(environment)

    def _lose_overdue(self, awaited: list[WorkerProcess], now: float) -> None:
        for worker in awaited:
            allowance = self._allowance(worker)
            if now - worker.heard >= allowance:
                self._lose(worker, f"gave no answer within {allowance:g} seconds")

    def _listen(self, worker: WorkerProcess, *, has_message: bool) -> None:
        """Take one message, or notice that there will be none."""
        if not has_message:
            self._lose(worker, worker.describe_exit())
            return
        try:
            reply = worker.connection.recv()
        except BlockingIOError:
            self._lose(worker, "stopped in the middle of a message")
            return
        except (EOFError, OSError):
            self._lose(worker, worker.describe_exit())
            return
        worker.heard = time.monotonic()
        match reply:
            case Born(process_id):
                worker.process_id = process_id
            case Building(environment):
                worker.building = environment
            case Restoring():
                pass  # heard of it
            case Ready(spec):
                self._welcome(worker, spec)
            case Done():
                worker.take(reply)
            case Failed():
                self._lose(worker, "raised an exception", reply)

    def _welcome(self, worker: WorkerProcess, spec: EnvironmentSpec) -> None:
        """Let a worker whose environments are built begin, unless they are not what they were."""
        worker.spec = spec
        if self._arrays is None:
            return
        if spec != self._spec:
            raise WorkerError(
                f"{worker} was replaced, and its environments now and before differ in "
                f"{spec.difference(self._spec)}: {MUST_BE_EQUAL}"
            )
        worker.attach(self._attach_command, self._file_descriptor)

    def _lose(self, worker: WorkerProcess, reason: str, failure: Failed | None = None) -> None:
        """Name a lost worker, end what is left of it, and put a new process in its place."""
        activity = failure.activity if failure else describe_progress(*self._progress(worker))
        step = failure.step if failure else self._step_under_way(worker)
        story = f"{worker} was lost {activity}: {reason}" + (f" ({step})" if step else "")
        if failure:
            story = f"{story}: {failure.summary}{self._traceback_once(failure)}"
        if not worker.has_stepped:
            worker.count_false_start(f"{activity}: {failure.place if failure else reason}")
        self._selector.unregister(worker.connection)
        self._selector.unregister(worker.process.sentinel)
        _end(worker, CLOSE_GRACE if failure else 0.0)
        self._refuse_replacement(worker, story, failure)
        self.restarts += 1
        worker.restarts += 1
        logger.warning(
            "%s\nreplacing it (%d of at most %d)", story, self.restarts, self._limits.max_restarts
        )
        self._start(worker)
        for command in worker.forget_orders():
            self._order_instead(worker, command)

    def _traceback_once(self, failure: Failed) -> str:
        """Return a traceback to be shown, unless one from the same place was."""
        if failure.place in self._told:
            return " (with the traceback shown before)"
        self._told.add(failure.place)
        return f"\n{failure.traceback}"

    def _refuse_replacement(
        self, worker: WorkerProcess, story: str, failure: Failed | None
    ) -> None:
        """Raise if the loss is one that ends the run."""
        is_starting = self._arrays is None
        error = failure.error if failure else None
        if error is not None and (is_starting or isinstance(error, BadTransitionError)):
            raise error
        if is_starting:
            raise WorkerError(story)
        if worker.is_restoring and failure:
            raise CheckpointError(
                f"{story}\nso the environments refuse the snapshots of the checkpoint; "
                "--load_model_path under a new name goes on with new episodes"
            )
        if worker.is_restoring:
            raise WorkerError(f"{story}\nso its environments cannot go on from their snapshots")
        if len(worker.false_starts) >= FALSE_STARTS:
            raise WorkerError(
                f"{story}\nit failed there {FALSE_STARTS} times and has never made a step, so it "
                "is not replaced again: mend the environment"
            )
        if self.restarts >= self._limits.max_restarts:
            raise WorkerError(
                f"{story}\n{self.restarts} lost workers were replaced before, and no more may be "
                "(MaxWorkerRestarts)"
            )

    def _order_instead(self, worker: WorkerProcess, command: GroupCommand) -> None:
        assert self._arrays is not None
        stand_in = substitute(worker, command, self._arrays, self._seeds)
        if stand_in is not None:
            worker.order(stand_in)


def _end(worker: WorkerProcess, grace: float) -> None:
    """End a process and pass on what its environments had to say about their end.

    Where none could be built for a reason meant for the user, the first of them has told it. A
    traceback is for what has no such words.
    """
    name = str(worker)
    is_building = worker.spec is None
    for words in worker.end(grace):
        if is_building and words.error is not None:
            continue
        logger.warning("%s failed %s: %s", name, words.activity, words.error or words.traceback)


def _kill(workers: list[WorkerProcess]) -> None:
    for worker in workers:
        if worker.is_running:
            worker.kill()
