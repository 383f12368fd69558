"""The environments that one worker, or one process alone, owns: built, reset, stepped, checked.

This is all of a worker that knows nothing of processes and pipes. Rows are indices in the pool,
[0, N); the worker writes only its own.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.environments.base import (
    Batch,
    Environment,
    EnvironmentSpec,
    Observation,
    TakeSnapshot,
)
from workers.environments.registered.answers import BadAnswerError
from workers.environments.registered.global_streams import GlobalStreams
from workers.shared.protocol import (
    MUST_BE_EQUAL,
    EpisodeSummary,
    Phase,
    WorkerError,
    describe_progress,
)
from workers.shared.shared_arrays import SharedArrays
from workers.stepping.row_snapshots import RowSnapshot
from workers.stepping.values import ObservationCheck, bad_reward, bad_value, check_flags

MakeEnvironment = Callable[[], gymnasium.Env[Any, Any]]

BUILD_STREAM = 1  # its streams while it is made are not those of its first reset
FEWEST_TOGETHER = 4  # of fewer, one after the other is as fast


class OwnedEnvironments:
    """A worker's environments of every group.

    The running score and length of each game are kept in shared memory, where they outlive the
    worker.
    """

    def __init__(self, rows: tuple[range, ...]) -> None:
        """`rows[group]` are the worker's environments of that group."""
        self._rows = rows
        self._environments: dict[int, Environment] = {}
        self._batches: dict[int, Batch] = {}  # by group, see `step_together`
        self._slots: dict[int, int] = {}  # by group: where its newest observations lie
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
                raise WorkerError(
                    f"environments {first} and {row} differ in {spec.difference(other)}: "
                    f"{MUST_BE_EQUAL}"
                )
        self._spec = spec
        self._check_observation = ObservationCheck(spec)
        self._mark(0, Phase.IDLE)
        return spec

    def attach(self, arrays: SharedArrays, worker: int) -> None:
        """Write to `arrays` from now on, as worker number `worker`."""
        self._arrays = arrays
        self._has_states = arrays.states.size > 0
        self._has_labels = arrays.labels.size > 0
        self._progress = arrays.progress[worker]
        self._mark(0, Phase.IDLE)

    def step_together(self) -> None:
        """Step each group whose environments can be stepped at once in that way from now on.

        The results are the same to the last bit, a dream's but for rounding; what is lost is which
        environment raised.
        """
        if self._has_states or self._has_labels:
            return  # the environments themselves are asked after every step
        for group, rows in enumerate(self._rows):
            environments = [self._environments[row] for row in rows]
            if len(environments) >= FEWEST_TOGETHER:
                batch = environments[0].together(environments)
                if batch is not None:
                    self._batches[group] = batch

    def reset(self, group: int, slot: int, seeds: tuple[int | None, ...]) -> None:
        """Begin a new episode in every environment of the group, and write the observations."""
        rows = self._rows[group]
        self._slots[group] = slot
        observations = self._arrays.observations[slot]
        for row, seed in zip(rows, seeds, strict=True):
            observations[row] = self._reset_one(row, seed)
            self._tell(row, slot)
        self._arrays.scores[rows.start : rows.stop] = 0.0
        self._arrays.lengths[rows.start : rows.stop] = 0
        self._load(group)
        self._mark(rows.start, Phase.IDLE)

    def step(self, group: int, slot: int) -> list[EpisodeSummary]:
        """Step every environment of the group; return the full games that ended.

        What can be done for all environments at once is done at the end: between two emulators the
        caches are cold, and every line of Python costs several times what it does elsewhere.
        """
        self._slots[group] = slot
        if group in self._batches:
            return self._step_batch(self._batches[group], self._rows[group], slot)
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
                raise bad_value(row, error.field, error.wanted, error.found) from error
            self._check_observation(row, observation)
            check_flags(row, terminated, truncated)
            results.append((reward, terminated, truncated))
            if terminated or truncated:
                arrays.final_observations[row] = observation
                self._tell_final(row)
                if not isinstance(info, dict):
                    raise bad_value(row, "info", "a dict", repr(info))
                if info.get("game_over", True):
                    games.append((row, info.get("rooms", ()), dict(info.get("metrics", {}))))
                observation = self._reset_one(row, self._planned_seed(row))
            observations[row] = observation
            self._tell(row, slot)
        rewards, arrays.terminated[here], arrays.truncated[here] = zip(*results, strict=True)
        self._count_rewards(rows, rewards)
        self._mark(rows.start, Phase.IDLE)
        return [self._finish_game(*game) for game in games]

    def _step_batch(self, batch: Batch, rows: range, slot: int) -> list[EpisodeSummary]:
        """Do what `step` does, for environments that are stepped at once and tell no `info`."""
        here = slice(rows.start, rows.stop)
        arrays = self._arrays
        self._mark(rows.start, Phase.STEP)
        stepped, rewards, terminated, truncated = batch.step(arrays.actions[here])
        if not np.isfinite(stepped).all():
            for row, observation in zip(rows, stepped, strict=True):
                self._mark(row, Phase.STEP)
                self._check_observation(row, observation)
        self._count_rewards(rows, rewards)
        observations = arrays.observations[slot]
        observations[here] = stepped
        arrays.terminated[here], arrays.truncated[here] = terminated, truncated
        games = []
        for index in np.flatnonzero(terminated | truncated).tolist():
            row = rows[index]
            arrays.final_observations[row] = stepped[index]
            observations[row] = self._reset_one(row, self._planned_seed(row))
            batch.load(index)
            games.append(self._finish_game(row, (), {}))
        self._mark(rows.start, Phase.IDLE)
        return games

    def capture(self, group: int) -> list[TakeSnapshot | None]:
        """Return, of each environment of the group, what gives its present state as bytes.

        None where it has none to give. Making bytes takes most of the time of a snapshot, and may
        be done later, or not at all.
        """
        rows = self._rows[group]
        if not self._spec.can_snapshot:
            return [None] * len(rows)
        if group in self._batches:
            self._batches[group].store()
        arrays = self._arrays
        observations = arrays.observations[self._slots[group]]
        captured: list[TakeSnapshot | None] = []
        for row in rows:
            self._mark(row, Phase.SNAPSHOT)
            of_the_row = (arrays.scores[row], arrays.lengths[row], observations[row].tobytes())
            captured.append(partial(_pack, *of_the_row, self._environments[row].capture()))
        self._mark(rows.start, Phase.IDLE)
        return captured

    def snapshot(self, group: int) -> list[bytes | None]:
        """Return the state of each environment of the group; None where it has none to give."""
        return [None if take is None else take() for take in self.capture(group)]

    def restore(
        self, group: int, snapshots: tuple[bytes, ...], tell: Callable[[int], None]
    ) -> None:
        """Continue each environment of the group from what `snapshot` returned.

        Its newest observation, state and labels are written to both slots. `tell` is given each
        one's index before it is restored.
        """
        arrays = self._arrays
        for row, snapshot in zip(self._rows[group], snapshots, strict=True):
            self._mark(row, Phase.RESTORE)
            tell(row)
            score, length, observation, environment = RowSnapshot.unpack(snapshot)
            arrays.scores[row], arrays.lengths[row] = score, length
            self._environments[row].restore(environment)
            if observation:
                seen = np.frombuffer(observation, arrays.observations.dtype)
                arrays.observations[:, row] = seen.reshape(arrays.observations.shape[2:])
            for slot in (0, 1):
                self._tell(row, slot)
        self._load(group)
        self._mark(self._rows[group].start, Phase.IDLE)

    def close(self) -> None:
        """Close every environment; raise what they raised after the last one is closed."""
        errors: dict[int, BaseException] = {}
        for row, environment in self._environments.items():
            self._mark(row, Phase.CLOSE)
            try:
                environment.close()
            except BaseException as error:  # noqa: BLE001 - raised below, when all had their turn
                error.add_note(f"while closing environment {row}")
                errors[row] = error
        self._environments.clear()
        if errors:
            self._mark(min(errors), Phase.CLOSE)
            words = "environments that failed to close"
            raise BaseExceptionGroup(words, list(errors.values()))

    def _tell(self, row: int, slot: int) -> None:
        """Write the state and the labels that go with an environment's observation, if wanted."""
        if self._has_states:
            self._arrays.states[slot, row] = self._environments[row].state()
        if self._has_labels:
            self._arrays.labels[slot, row] = self._environments[row].labels()

    def _tell_final(self, row: int) -> None:
        """Write those that go with the last observation of an episode."""
        if self._has_states:
            self._arrays.final_states[row] = self._environments[row].state()
        if self._has_labels:
            self._arrays.final_labels[row] = self._environments[row].labels()

    def _mark(self, row: int, phase: int) -> None:
        self._progress[0] = row
        self._progress[1] = phase

    def _load(self, group: int) -> None:
        """Let what steps the group at once go on from where its environments are."""
        if group in self._batches:
            for index in range(len(self._rows[group])):
                self._batches[group].load(index)

    def _planned_seed(self, row: int) -> int | None:
        return self._arrays.planned_seeds(range(row, row + 1), (None,))[0]

    def _reset_one(self, row: int, seed: int | None) -> Observation:
        self._mark(row, Phase.RESET)
        try:
            observation, _ = self._environments[row].reset(seed=seed)
        except BadAnswerError as error:
            raise bad_value(row, error.field, error.wanted, error.found) from error
        self._check_observation(row, observation)
        return observation

    def _count_rewards(self, rows: range, rewards: tuple[Any, ...] | NDArray[np.float64]) -> None:
        """Write the rewards of a step and add them to the running scores, if all are fine."""
        here = slice(rows.start, rows.stop)
        bad = bad_reward(rewards)
        if bad is not None:  # found after the step of the whole group: say whose it was
            self._mark(rows[bad], Phase.STEP)
            raise bad_value(rows[bad], "reward", "a finite float32 number", repr(rewards[bad]))
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


def _as_ours(environment: gymnasium.Env[Any, Any]) -> Environment:
    if isinstance(environment, Environment):
        return environment
    # Only for those who need it: the other families do without its imports.
    from workers.environments.registered.registered import adapted  # noqa: PLC0415

    return adapted(environment)


def _pack(score: float, length: int, observation: bytes, take: TakeSnapshot) -> bytes:
    return RowSnapshot(score, length, observation, take()).pack()
