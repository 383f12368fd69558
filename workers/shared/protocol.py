"""What the pool and its workers say to each other, what the pool hands out, and what can go wrong.

Commands and replies are small named tuples: they travel through one pipe per worker, one message
per worker and step. Observations, actions, rewards and flags never do; they lie in shared memory
(see workers/shared/shared_arrays.py).
"""

import pickle
import traceback
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.errors import EnvironmentFailure, ScoutError
from workers.environments.base import EnvironmentSpec, Observation

Vectors = NDArray[np.float32]

NO_SEED = -1
"""In the place of a planned seed: the reset goes on with the environment's own random stream."""


def _no_vectors() -> Vectors:
    return np.zeros((0, 0), np.float32)


class WorkerError(EnvironmentFailure):
    """A worker that could not be started, or more lost workers than may be replaced."""


class BadTransitionError(WorkerError):
    """A value from an environment that no batch may hold: not finite, wrong shape or dtype."""


class PoolStateError(RuntimeError):
    """A call out of order: a mistake in the calling program, not in an environment."""


@dataclass(frozen=True)
class EpisodeSummary:
    """A full game that has ended.

    Attributes:
        environment: index of the environment in its pool, in [0, N).
        score: sum of the raw rewards.
        length: number of env steps.
        rooms, metrics: as the environment's `info` gave them; empty if it gave none.
        lost: True if the game was cut because its worker was lost; score and length then end at
            the last step that the worker completed.
    """

    environment: int
    score: float
    length: int
    rooms: tuple[int, ...]
    metrics: dict[str, float]
    lost: bool


@dataclass(frozen=True, eq=False)
class StepBatch:
    """One step of the n environments of a group.

    The arrays are views of shared memory, valid until the next `send` to the same group;
    `observations` until the send after that, so that they can be copied while the group steps.

    Attributes:
        observations: [n, *shape], the next observations; after a reset where an episode ended.
        final_observations: [n, *shape], the true last observations of episodes; valid where
            terminated | truncated.
        rewards: float32 [n], raw.
        terminated, truncated: bool [n].
        episodes: the full games that ended in this step.
        states, labels: float32 [n, S] and [n, L], of `observations`; S = L = 0 unless the pool was
            opened with_states.
        final_states, final_labels: the same of `final_observations`.
    """

    observations: Observation
    final_observations: Observation
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    episodes: list[EpisodeSummary]
    states: Vectors = field(default_factory=_no_vectors)
    labels: Vectors = field(default_factory=_no_vectors)
    final_states: Vectors = field(default_factory=_no_vectors)
    final_labels: Vectors = field(default_factory=_no_vectors)


class GroupState(Enum):
    """What a group of environments waits for; the value says what must come next."""

    NEW = "reset() must come first"
    IDLE = "send() must come first"
    STEPPING = "recv() must come first"
    BROKEN = "the pool has failed and can only be closed"
    CLOSED = "the pool is closed"


class Phase(IntEnum):
    """What a worker is doing; kept in shared memory, so that it outlives the worker."""

    IDLE = 0
    BUILD = 1
    RESET = 2
    STEP = 3
    SNAPSHOT = 4
    RESTORE = 5
    CLOSE = 6


MUST_BE_EQUAL = (
    "all environments of a run have the same spaces and limits; register one whose own do not hang "
    "on chance, the clock, or how many were made before it"
)
"""What is said where they are not."""

_PHASE_WORDS = {
    Phase.BUILD: "building",
    Phase.RESET: "resetting",
    Phase.STEP: "stepping",
    Phase.SNAPSHOT: "taking a snapshot of",
    Phase.RESTORE: "restoring",
    Phase.CLOSE: "closing",
}


def describe_progress(environment: int, phase: int) -> str:
    """Say what a worker was doing: "while stepping environment 5"."""
    if phase == Phase.IDLE:
        return "while waiting for a command"
    return f"while {_PHASE_WORDS[Phase(phase)]} environment {environment}"


class Attach(NamedTuple):
    """Map the shared arrays; their file descriptor follows on the same socket.

    `with_states`: whether states and labels are written, too.
    """

    num_environments: int
    num_workers: int
    with_states: bool


class Reset(NamedTuple):
    """Reset the worker's environments of a group; a seed of None continues the stream.

    `slot` is which of the two copies of the observations to write, here and in `Step`.
    """

    group: int
    slot: int
    seeds: tuple[int | None, ...]


class Step(NamedTuple):
    """Step the worker's environments of a group with the actions in shared memory."""

    group: int
    slot: int


class Snapshot(NamedTuple):
    """Send the state of the worker's environments of a group."""

    group: int


class Restore(NamedTuple):
    """Continue the worker's environments of a group from snapshots."""

    group: int
    snapshots: tuple[bytes, ...]


class Close(NamedTuple):
    """Close the environments and exit."""


GroupCommand = Reset | Step | Snapshot | Restore
Command = Attach | GroupCommand | Close


class Born(NamedTuple):
    """The worker's own process has begun; the one that was started keeps it (see keeper.py)."""

    process_id: int


class Building(NamedTuple):
    """An environment is being built: a sign of life from a worker that has many of them."""

    environment: int


class Restoring(NamedTuple):
    """An environment is being restored: the same, where each may have to play its episode again."""

    environment: int


class Ready(NamedTuple):
    """The environments are built."""

    spec: EnvironmentSpec


class Done(NamedTuple):
    """A command for a group is done, and the worker's rows of it are written."""

    group: int
    episodes: list[EpisodeSummary]
    snapshots: list[bytes | None]


class Failed(NamedTuple):
    """An exception in the worker, after which it closes its environments and exits.

    `activity` says what it was doing, `step` with which action where that was a step; `summary` is
    "type: text"; `error` is the exception itself where its own words are meant for the user.
    """

    activity: str
    summary: str
    traceback: str
    error: ScoutError | None
    step: str = ""

    @property
    def place(self) -> str:
        """The lines of code that the traceback names, without what was said there."""
        lines = self.traceback.splitlines()
        return "\n".join(line for line in lines if line.lstrip().startswith('File "'))


def failure_of(activity: str, error: BaseException, step: str = "") -> Failed:
    """Return what the pool is to hear of an exception; see `Failed`."""
    lines = "".join(traceback.format_exception(error)).rstrip()
    summary = "".join(traceback.format_exception_only(error)).rstrip()
    if isinstance(error, SystemExit):
        summary += " (it asked to leave the program, as sys.exit does)"
    own_words = error if isinstance(error, ScoutError) and _travels(error) else None
    return Failed(activity, summary, lines, own_words, step)


def _travels(error: ScoutError) -> bool:
    """Whether the exception comes out of a pipe as it went in."""
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:  # noqa: BLE001 - a foreign __init__ may raise anything
        return False


Reply = Born | Building | Restoring | Ready | Done | Failed


def post(connection: "Connection[Any, Any]", message: Command | Reply) -> None:
    """Send a message, which `Connection.recv` receives.

    Pickled plainly: `Connection.send` builds a pickler of its own for every message, which takes
    longer than all the rest of it.
    """
    connection.send_bytes(pickle.dumps(message))
