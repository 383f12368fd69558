"""What environments live through, kept until an episode ends."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import StepBatch, Vectors

FIRST_CAPACITY = 64  # steps; doubled when an episode is longer


@dataclass(frozen=True)
class Lived:
    """An episode of T steps as the pool gave it.

    Attributes:
        observations: [T + 1, *shape], frames as [C, H, W].
        actions: [T] or [T, A], as the pool was sent them: choices begin at 0.
        rewards: float32 [T], raw.
        terminated, truncated: how it ended.
        states, labels: float32 [T + 1, S] and [T + 1, L].
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: bool
    truncated: bool
    states: Vectors
    labels: Vectors

    @property
    def num_bytes(self) -> int:
        """The memory that it takes, about."""
        return self.observations.nbytes + self.states.nbytes + self.actions.nbytes


class Recorder:
    """Keeps the episodes under way of all N environments of a pool with one group."""

    def __init__(self, pool: EnvironmentPool, observations: NDArray[Any]) -> None:
        """Begin with what `pool.reset` returned, which was called just now."""
        n, spec = pool.num_environments, pool.spec
        action_shape = () if spec.discrete else (spec.num_actions,)
        action_dtype = np.int64 if spec.discrete else np.float32
        length = FIRST_CAPACITY
        states, labels = pool.states(0), pool.labels(0)
        self._rows = np.arange(n)
        self._lengths = np.zeros(n, np.int64)
        self._observations = np.empty((n, length + 1, *observations.shape[1:]), observations.dtype)
        self._states = np.empty((n, length + 1, states.shape[1]), np.float32)
        self._labels = np.empty((n, length + 1, labels.shape[1]), np.float32)
        self._actions = np.empty((n, length, *action_shape), action_dtype)
        self._rewards = np.empty((n, length), np.float32)
        self._observations[:, 0] = observations
        self._states[:, 0] = states
        self._labels[:, 0] = labels

    def add(
        self, actions: NDArray[Any], batch: StepBatch, wanted: NDArray[np.bool_]
    ) -> dict[int, Lived]:
        """Take a step; return the episodes that ended in it, by environment.

        Args:
            actions: [n] or [n, A], what was sent.
            batch: what came of it.
            wanted: [n], which environments' episodes are worth a copy.
        """
        if self._lengths.max() == self._rewards.shape[1]:
            self._grow()
        rows, t = self._rows, self._lengths
        self._actions[rows, t] = actions
        self._rewards[rows, t] = batch.rewards
        self._observations[rows, t + 1] = batch.observations
        self._states[rows, t + 1] = batch.states
        self._labels[rows, t + 1] = batch.labels
        self._lengths += 1
        ended = np.flatnonzero(batch.terminated | batch.truncated).tolist()
        return {
            row: lived for row in ended if (lived := self._end(row, batch, keep=bool(wanted[row])))
        }

    def _end(self, row: int, batch: StepBatch, *, keep: bool) -> Lived | None:
        """Return a copy of an episode that has ended, if it is kept, and begin the next one."""
        length = int(self._lengths[row])
        self._observations[row, length] = batch.final_observations[row]
        self._states[row, length] = batch.final_states[row]
        self._labels[row, length] = batch.final_labels[row]
        lived = None
        if keep:
            lived = Lived(
                self._observations[row, : length + 1].copy(),
                self._actions[row, :length].copy(),
                self._rewards[row, :length].copy(),
                bool(batch.terminated[row]),
                bool(batch.truncated[row]),
                self._states[row, : length + 1].copy(),
                self._labels[row, : length + 1].copy(),
            )
        self._observations[row, 0] = batch.observations[row]
        self._states[row, 0] = batch.states[row]
        self._labels[row, 0] = batch.labels[row]
        self._lengths[row] = 0
        return lived

    def _grow(self) -> None:
        length = self._rewards.shape[1]
        self._observations = _longer(self._observations, length)
        self._states = _longer(self._states, length)
        self._labels = _longer(self._labels, length)
        self._actions = _longer(self._actions, length)
        self._rewards = _longer(self._rewards, length)


def _longer(values: NDArray[Any], by: int) -> NDArray[Any]:
    n, length, *shape = values.shape
    longer = np.empty((n, length + by, *shape), values.dtype)
    longer[:, :length] = values
    return longer
