"""The environments that one worker owns: built, reset, stepped, and their values checked.

This is all of a worker that knows nothing of processes and pipes. Rows are indices in the pool,
[0, N); the worker writes only its own.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.environments.answers import BadAnswerError
from workers.environments.base import Environment, EnvironmentSpec, Observation
from workers.environments.global_streams import GlobalStreams
from workers.protocol import (
    BadTransitionError,
    EpisodeSummary,
    Phase,
    WorkerError,
    describe_progress,
)
from workers.shared_arrays import SharedArrays

MakeEnvironment = Callable[[], gymnasium.Env[Any, Any]]

LARGEST_REWARD = float(np.finfo(np.float32).max)  # rewards are handed on as float32
BUILD_STREAM = 1  # its streams while it is made are not those of its first reset
_FLAG_TYPES = (bool, np.bool_)
_TALLY = struct.Struct("<dq")  # running score and length, ahead of the environment's own snapshot


class OwnedEnvironments:
    """A worker's environments of every group.

    The running score and length of each game are kept in shared memory, where they outlive the
    worker.
    """

    def __init__(self, rows: tuple[range, ...]) -> None:
        """`rows[group]` are the worker's environments of that group."""
        self._rows = rows
        self._environments: dict[int, Environment] = {}
        self._progress: NDArray[np.int32] = np.zeros(2, np.int32)

    @property
    def activity(self) -> str:
        """What the worker is doing, for a message."""
        return describe_progress(int(self._progress[0]), int(self._progress[1]))

    @property
    def step_under_way(self) -> str:
        """Which action is being obeyed, for a message; "" outside of a step."""
        row, phase = self._progress.tolist()
        return self._arrays.describe_step(row) if phase == Phase.STEP else ""

    def build(
        self, make: MakeEnvironment, tell: Callable[[int], None], seeds: tuple[int, ...]
    ) -> EnvironmentSpec:
        """Make every environment; return the spec that they share.

        Args:
            make: makes one; what is no Environment of Scout's is made one.
            tell: is given each one's index before it is made.
            seeds: one for each, in the order of the rows: of Python's and NumPy's own streams while
                it is made. An environment that draws a map in its constructor draws the same again.

        Raises:
            WorkerError: two of them differ in their spec.
        """
        rows = [row for span in self._rows for row in span]
        for row, seed in zip(rows, seeds, strict=True):
            self._mark(row, Phase.BUILD)
            tell(row)
            with GlobalStreams(seed, BUILD_STREAM):
                self._environments[row] = _as_ours(make())
        (first, spec), *others = [
            (row, environment.environment_spec) for row, environment in self._environments.items()
        ]
        for row, other in others:
            if other != spec:
                raise WorkerError(f"environments {first} and {row} differ: {spec} and {other}")
        self._spec = spec
        self._dtype = np.dtype(spec.observation_dtype)
        self._can_be_infinite = self._dtype.kind == "f"
        self._mark(0, Phase.IDLE)
        return spec

    def attach(self, arrays: SharedArrays, worker: int) -> None:
        """Write to `arrays` from now on, as worker number `worker`."""
        self._arrays = arrays
        self._progress = arrays.progress[worker]
        self._mark(0, Phase.IDLE)

    def reset(self, group: int, slot: int, seeds: tuple[int | None, ...]) -> None:
        """Begin a new episode in every environment of the group, and write the observations."""
        rows = self._rows[group]
        observations = self._arrays.observations[slot]
        for row, seed in zip(rows, seeds, strict=True):
            observations[row] = self._reset_one(row, seed)
        self._arrays.scores[rows.start : rows.stop] = 0.0
        self._arrays.lengths[rows.start : rows.stop] = 0
        self._mark(rows.start, Phase.IDLE)

    def step(self, group: int, slot: int) -> list[EpisodeSummary]:
        """Step every environment of the group; return the full games that ended.

        What can be done for all environments at once is done at the end: between two emulators the
        caches are cold, and every line of Python costs several times what it does elsewhere.
        """
        rows = self._rows[group]
        here = slice(rows.start, rows.stop)
        arrays, environments = self._arrays, self._environments
        observations = arrays.observations[slot]
        actions = arrays.actions[here]
        choices = actions.tolist() if self._spec.discrete else actions.copy()
        results = []
        games = []
        for row, action in zip(rows, choices, strict=True):
            self._mark(row, Phase.STEP)
            try:
                observation, reward, terminated, truncated, info = environments[row].step(action)
            except BadAnswerError as error:
                raise _bad(row, error.field, error.wanted, error.found) from error
            self._check_observation(row, observation)
            _check_flags(row, terminated, truncated)
            results.append((reward, terminated, truncated))
            if terminated or truncated:
                arrays.final_observations[row] = observation
                if not isinstance(info, dict):
                    raise _bad(row, "info", "a dict", repr(info))
                if info.get("game_over", True):
                    games.append((row, info.get("rooms", ()), dict(info.get("metrics", {}))))
                observation = self._reset_one(row, None)
            observations[row] = observation
        rewards, arrays.terminated[here], arrays.truncated[here] = zip(*results, strict=True)
        self._count_rewards(rows, rewards)
        self._mark(rows.start, Phase.IDLE)
        return [self._finish_game(*game) for game in games]

    def snapshot(self, group: int) -> list[bytes | None]:
        """Return the state of each environment of the group; None where it has none to give."""
        rows = self._rows[group]
        if not self._spec.can_snapshot:
            return [None] * len(rows)
        snapshots: list[bytes | None] = []
        for row in rows:
            self._mark(row, Phase.SNAPSHOT)
            tally = _TALLY.pack(self._arrays.scores[row], self._arrays.lengths[row])
            snapshots.append(tally + self._environments[row].snapshot())
        self._mark(rows.start, Phase.IDLE)
        return snapshots

    def restore(self, group: int, snapshots: tuple[bytes, ...]) -> None:
        """Continue each environment of the group from what `snapshot` returned."""
        for row, snapshot in zip(self._rows[group], snapshots, strict=True):
            self._mark(row, Phase.RESTORE)
            score, length = _TALLY.unpack_from(snapshot)
            self._arrays.scores[row], self._arrays.lengths[row] = score, length
            self._environments[row].restore(snapshot[_TALLY.size :])
        self._mark(self._rows[group].start, Phase.IDLE)

    def close(self) -> None:
        """Close every environment; raise what they raised after the last one is closed."""
        errors: list[BaseException] = []
        for row, environment in self._environments.items():
            self._mark(row, Phase.CLOSE)
            try:
                environment.close()
            except BaseException as error:  # noqa: BLE001 - raised below, when all had their turn
                error.add_note(f"while closing environment {row}")
                errors.append(error)
        self._environments.clear()
        if errors:
            raise BaseExceptionGroup("environments that failed to close", errors)

    def _mark(self, row: int, phase: int) -> None:
        self._progress[0] = row
        self._progress[1] = phase

    def _reset_one(self, row: int, seed: int | None) -> Observation:
        self._mark(row, Phase.RESET)
        try:
            observation, _ = self._environments[row].reset(seed=seed)
        except BadAnswerError as error:
            raise _bad(row, error.field, error.wanted, error.found) from error
        self._check_observation(row, observation)
        return observation

    def _count_rewards(self, rows: range, rewards: tuple[Any, ...]) -> None:
        """Write the rewards of a step and add them to the running scores, if all are fine."""
        here = slice(rows.start, rows.stop)
        if not _are_numbers(rewards):
            for row, reward in zip(rows, rewards, strict=True):
                if not _are_numbers((reward,)):
                    raise _bad(row, "reward", "a finite float32 number", repr(reward))
        self._arrays.rewards[here] = rewards
        self._arrays.scores[here] += rewards
        self._arrays.lengths[here] += 1

    def _finish_game(
        self, row: int, rooms: tuple[int, ...], metrics: dict[str, float]
    ) -> EpisodeSummary:
        arrays = self._arrays
        episode = EpisodeSummary(
            environment=row,
            score=float(arrays.scores[row]),
            length=int(arrays.lengths[row]),
            rooms=tuple(int(room) for room in rooms),
            metrics={name: float(value) for name, value in metrics.items()},
            lost=False,
        )
        arrays.scores[row], arrays.lengths[row] = 0.0, 0
        return episode

    def _check_observation(self, row: int, observation: object) -> None:
        """Refuse what is not an array of the spec's shape and dtype with finite values."""
        spec = self._spec
        if not isinstance(observation, np.ndarray):
            raise _bad(row, "observation", "an array", type(observation).__name__)
        if observation.shape != spec.observation_shape or observation.dtype != self._dtype:
            found = f"{observation.dtype} {list(observation.shape)}"
            wanted = f"{spec.observation_dtype} {list(spec.observation_shape)}"
            raise _bad(row, "observation", wanted, found)
        if self._can_be_infinite and not _is_finite(observation):
            index = np.argwhere(~np.isfinite(observation))[0]
            found = f"{observation[tuple(index)]} at {index.tolist()}"
            raise _bad(row, "observation", "finite values", found)


def _as_ours(environment: gymnasium.Env[Any, Any]) -> Environment:
    if isinstance(environment, Environment):
        return environment
    # Only for those who need it: the other families do without its imports.
    from workers.environments.registered import adapted  # noqa: PLC0415

    return adapted(environment)


def _is_finite(values: NDArray[Any]) -> bool:
    """Whether all values are; the sum of squares settles most cases in a third of the time."""
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _are_numbers(rewards: tuple[Any, ...]) -> bool:
    """Whether all rewards are single numbers that float32 can hold."""
    try:
        values = np.array(rewards)
    except ValueError:  # arrays of several shapes
        return False
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        return False
    return bool((np.abs(values) <= LARGEST_REWARD).all())


def _check_flags(row: int, terminated: object, truncated: object) -> None:
    if type(terminated) not in _FLAG_TYPES:
        raise _bad(row, "terminated", "a bool", repr(terminated))
    if type(truncated) not in _FLAG_TYPES:
        raise _bad(row, "truncated", "a bool", repr(truncated))


def _bad(row: int, field: str, wanted: str, found: str) -> BadTransitionError:
    return BadTransitionError(
        f"environment {row} gave a bad {field}: wanted {wanted}, found {found}"
    )
