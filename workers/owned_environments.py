"""The environments that one worker owns: built, reset, stepped, and their values checked.

This is all of a worker that knows nothing of processes and pipes. Rows are indices in the pool,
[0, N); the worker writes only its own.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.environments.base import Environment, EnvironmentSpec, Observation
from workers.protocol import (
    BadTransitionError,
    EpisodeSummary,
    Phase,
    WorkerError,
    describe_progress,
)
from workers.shared_arrays import SharedArrays

MakeEnvironment = Callable[[], Environment]

LARGEST_REWARD = float(np.finfo(np.float32).max)  # rewards are handed on as float32
_FLAG_TYPES = (bool, np.bool_)
_TALLY = struct.Struct("<dq")  # running score and length, ahead of the environment's own snapshot


class OwnedEnvironments:
    """A worker's environments of every group, and the running score and length of each."""

    def __init__(self, rows: tuple[range, ...]) -> None:
        """`rows[group]` are the worker's environments of that group."""
        self._rows = rows
        self._environments: dict[int, Environment] = {}
        self._scores = dict.fromkeys((row for span in rows for row in span), 0.0)
        self._lengths = dict.fromkeys(self._scores, 0)
        self._progress: NDArray[np.int32] = np.zeros(2, np.int32)

    @property
    def activity(self) -> str:
        """What the worker is doing, for a message."""
        return describe_progress(int(self._progress[0]), int(self._progress[1]))

    def build(self, make: MakeEnvironment) -> EnvironmentSpec:
        """Make every environment; return the spec that they share.

        Raises:
            WorkerError: two of them differ in their spec.
        """
        for row in self._scores:
            self._mark(row, Phase.BUILD)
            self._environments[row] = make()
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

    def reset(self, group: int, seeds: tuple[int | None, ...]) -> None:
        """Begin a new episode in every environment of the group, and write the observations."""
        rows = self._rows[group]
        observations = [self._reset_one(row, seed) for row, seed in zip(rows, seeds, strict=True)]
        for row in rows:
            self._scores[row], self._lengths[row] = 0.0, 0
        self._arrays.observations[rows.start : rows.stop] = observations
        self._publish_tallies(group)

    def step(self, group: int) -> list[EpisodeSummary]:
        """Step every environment of the group; return the full games that ended.

        Rows are written when all are there: should this worker be lost half-way, the observations
        of the last step are still what the pool's user knows.
        """
        rows = self._rows[group]
        here = slice(rows.start, rows.stop)
        arrays = self._arrays
        choices = (
            arrays.actions[here].tolist() if self._spec.discrete else arrays.actions[here].copy()
        )
        steps = [self._step_one(row, action) for row, action in zip(rows, choices, strict=True)]
        observations, rewards, terminated, truncated, episodes = zip(*steps, strict=True)
        arrays.observations[here] = observations
        arrays.rewards[here] = rewards
        arrays.terminated[here] = terminated
        arrays.truncated[here] = truncated
        self._publish_tallies(group)
        return [episode for episode in episodes if episode is not None]

    def snapshot(self, group: int) -> list[bytes | None]:
        """Return the state of each environment of the group; None where it has none to give."""
        rows = self._rows[group]
        if not self._spec.can_snapshot:
            return [None] * len(rows)
        snapshots: list[bytes | None] = []
        for row in rows:
            self._mark(row, Phase.SNAPSHOT)
            tally = _TALLY.pack(self._scores[row], self._lengths[row])
            snapshots.append(tally + self._environments[row].snapshot())
        self._mark(rows.start, Phase.IDLE)
        return snapshots

    def restore(self, group: int, snapshots: tuple[bytes, ...]) -> None:
        """Continue each environment of the group from what `snapshot` returned."""
        for row, snapshot in zip(self._rows[group], snapshots, strict=True):
            self._mark(row, Phase.RESTORE)
            self._scores[row], self._lengths[row] = _TALLY.unpack_from(snapshot)
            self._environments[row].restore(snapshot[_TALLY.size :])
        self._publish_tallies(group)

    def close(self) -> None:
        """Close every environment; raise what they raised after the last one is closed."""
        errors = []
        for row, environment in self._environments.items():
            self._mark(row, Phase.CLOSE)
            try:
                environment.close()
            except Exception as error:  # noqa: BLE001 - raised below, when all had their turn
                error.add_note(f"while closing environment {row}")
                errors.append(error)
        self._environments.clear()
        if errors:
            raise ExceptionGroup("environments that failed to close", errors)

    def _mark(self, row: int, phase: int) -> None:
        self._progress[0] = row
        self._progress[1] = phase

    def _publish_tallies(self, group: int) -> None:
        """Let the pool see the running scores and lengths, should this worker be lost later."""
        rows = self._rows[group]
        self._arrays.scores[rows.start : rows.stop] = [self._scores[row] for row in rows]
        self._arrays.lengths[rows.start : rows.stop] = [self._lengths[row] for row in rows]
        self._mark(rows.start, Phase.IDLE)

    def _reset_one(self, row: int, seed: int | None) -> Observation:
        self._mark(row, Phase.RESET)
        observation, _ = self._environments[row].reset(seed=seed)
        self._check_observation(row, observation)
        return observation

    def _step_one(
        self, row: int, action: Any
    ) -> tuple[Observation, float, bool, bool, EpisodeSummary | None]:
        """Step one environment and, if its episode ended, write its end and reset it."""
        self._mark(row, Phase.STEP)
        observation, reward, terminated, truncated, info = self._environments[row].step(action)
        self._check_observation(row, observation)
        _check_reward(row, reward)
        _check_flags(row, terminated, truncated)
        self._scores[row] += float(reward)
        self._lengths[row] += 1
        episode = None
        if terminated or truncated:
            self._arrays.final_observations[row] = observation
            if info.get("game_over", True):
                episode = self._finish_game(row, info)
            observation = self._reset_one(row, None)
        return observation, float(reward), terminated, truncated, episode

    def _finish_game(self, row: int, info: dict[str, Any]) -> EpisodeSummary:
        episode = EpisodeSummary(
            environment=row,
            score=self._scores[row],
            length=self._lengths[row],
            rooms=tuple(int(room) for room in info.get("rooms", ())),
            metrics={name: float(value) for name, value in info.get("metrics", {}).items()},
            lost=False,
        )
        self._scores[row], self._lengths[row] = 0.0, 0
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


def _is_finite(values: NDArray[Any]) -> bool:
    """Whether all values are; the sum of squares settles most cases in a third of the time."""
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _check_reward(row: int, reward: Any) -> None:
    try:
        is_fine = -LARGEST_REWARD <= float(reward) <= LARGEST_REWARD
    except (TypeError, ValueError):
        is_fine = False
    if not is_fine:
        raise _bad(row, "reward", "a finite float32 number", repr(reward))


def _check_flags(row: int, terminated: object, truncated: object) -> None:
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if type(flag) not in _FLAG_TYPES:
            raise _bad(row, name, "a bool", repr(flag))


def _bad(row: int, field: str, wanted: str, found: str) -> BadTransitionError:
    return BadTransitionError(
        f"environment {row} gave a bad {field}: wanted {wanted}, found {found}"
    )
