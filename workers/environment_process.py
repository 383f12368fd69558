"""One environment in a process of its own, for who must see more of it than a pool shows: a film.

Only cheap environments of Scout's own are built in a process that trains or evaluates: the
constructor of another may move that to another folder, read its command line, end it, or change
what it does at a signal.
"""

import logging
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.environments.base import Environment, Observation
from workers.processes.kept import begin_kept, hear_no_signals
from workers.processes.spawning import describe_exit, end_at_once, order_end, spawn
from workers.shared.protocol import Failed, WorkerError, failure_of

CLOSE_GRACE = 1.0  # seconds that the environment has to close
DOING = {"reset": "resetting", "step": "stepping", "render": "drawing", "close": "closing"}
_LOG = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What a call returned."""

    value: Any


class EnvironmentProcess(Environment):
    """An environment that lives elsewhere; use it from the main thread, and close it.

    Args:
        make: makes the environment; picklable.
        step_timeout: seconds that a step or a picture may take.
        reset_timeout: seconds that building or a reset may take.

    Raises:
        ScoutError: what the environment's maker raised for the user, as it was.
        WorkerError: any other failure, here and in every call.
    """

    def __init__(
        self, make: Callable[[], Environment], *, step_timeout: float, reset_timeout: float
    ) -> None:
        self._step_timeout, self._reset_timeout = step_timeout, reset_timeout
        self._lifeline, self._lifeline_end = multiprocessing.Pipe(duplex=False)
        try:
            self._process, self._connection = spawn(
                serve_environment,
                (make,),
                self._lifeline,
                name="environment",
                transfer_timeout=step_timeout,
            )
        except OSError as error:
            raise WorkerError(f"the environment's process could not be started: {error}") from error
        self._end = Finalize(self, order_end, args=(self._process,), exitpriority=100)
        self.environment_spec, self.room_rows = self._hear("building", reset_timeout)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        result: tuple[Observation, dict[str, Any]] = self._ask(
            "reset", self._reset_timeout, seed=seed, options=options
        )
        return result

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Apply an action; see `gymnasium.Env.step`."""
        result: tuple[Observation, Any, bool, bool, dict[str, Any]] = self._ask(
            "step", self._step_timeout, action=action
        )
        return result

    def render(self) -> NDArray[np.uint8]:
        """Return the real screen as uint8 [H, W, 3] (RGB)."""
        screen: NDArray[np.uint8] = self._ask("render", self._step_timeout)
        return screen

    def close(self) -> None:
        """Close the environment and end its process, by force if that takes more than a second."""
        if not self._end.still_active():
            return
        try:
            self._ask("close", CLOSE_GRACE)
            self._leave()
        except WorkerError as error:
            _LOG.warning("%s", error)

    def _ask(self, name: str, seconds: float, **arguments: Any) -> Any:
        with suppress(OSError):  # it has ended: its last words are heard below
            self._connection.send((name, arguments))
        return self._hear(DOING[name], seconds)

    def _hear(self, activity: str, seconds: float) -> Any:
        """Wait for the answer to what the process is doing; where there is none, it is ended."""
        try:
            return self._answer(activity, seconds)
        except BaseException:
            self._leave()
            raise

    def _answer(self, activity: str, seconds: float) -> Any:
        story = f"the environment (pid {self._process.pid}) was lost while {activity}"
        try:
            if not self._connection.poll(seconds):
                raise WorkerError(f"{story}: gave no answer within {seconds:g} seconds")
            reply: Answer | Failed = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerError(f"{story}: {describe_exit(self._process)}") from None
        if isinstance(reply, Answer):
            return reply.value
        if reply.error is not None:
            raise reply.error
        raise WorkerError(f"{story}: raised an exception: {reply.summary}\n{reply.traceback}")

    def _leave(self) -> None:
        self._end.cancel()
        end_at_once(self._process)
        for pipe in (self._connection, self._lifeline, self._lifeline_end):
            pipe.close()


def serve_environment(
    make: Callable[[], Environment],
    connection: "Connection[Answer | Failed, tuple[str, dict[str, Any]]]",
    lifeline: "Connection[None, None]",
) -> None:
    """Build an environment and do what is asked of it, until it is closed.

    Args:
        make: makes the environment.
        connection: the pipe to who asks.
        lifeline: see `begin_kept`.
    """
    begin_kept(lifeline)
    activity = "while building it"
    try:
        environment = make()
        hear_no_signals()
        connection.send(Answer((environment.environment_spec, environment.room_rows)))
        while activity != "close":
            activity, arguments = connection.recv()
            connection.send(Answer(getattr(environment, activity)(**arguments)))
    except EOFError:
        environment.close()
    except BaseException as error:  # noqa: BLE001 - whatever it is, who asked hears of it
        connection.send(failure_of(activity, error))
