"""What every pool of environments is, whoever steps them: what the training loop knows of it."""

from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from workers.environments.base import EnvironmentSpec, Observation
from workers.shared.protocol import StepBatch, Vectors

TakeSnapshots = Callable[[], list[bytes | None]]
"""Returns the state of every environment as it was when this was made."""


class EnvironmentPool(Protocol):
    """N environments in G groups that step independently of each other; a context manager.

    Calls come in order: `reset`, then for each group `send` and `recv` in turns. An environment
    whose episode ends is reset within the same step. Environment i of the run has a random stream
    of its own, whichever rank and group it is in.

    Attributes:
        place: where the environments step, in words that follow "8 environments, ".
    """

    place: str

    @property
    def spec(self) -> EnvironmentSpec:
        """What the environments are."""

    @property
    def num_environments(self) -> int:
        """N."""

    @property
    def num_groups(self) -> int:
        """G."""

    @property
    def num_processes(self) -> int:
        """Worker processes, or threads, that step a group; 0 where the rank itself does."""

    @property
    def worker_restarts(self) -> int:
        """Lost workers replaced so far."""

    @property
    def shared_memory(self) -> NDArray[np.uint8] | None:
        """The bytes in which all batches lie, or None where each batch has memory of its own."""

    def __enter__(self) -> Self:
        """Return the pool."""

    def __exit__(self, *exception: object) -> None:
        """Close the pool."""

    def group(self, group: int) -> slice:
        """Return the rows of a group in [0, N)."""

    def reset(self) -> Observation:
        """Begin a new episode in all environments; return observations [N, *shape]."""

    def plan_resets(self, seeds: NDArray[np.int64]) -> None:
        """Say with which seed [N] each environment is reset next, whatever the reason.

        It holds until it is said anew. NO_SEED goes on with the environment's own random stream, as
        all do where nothing is said. Not while a group steps.
        """

    def send(self, group: int, actions: NDArray[Any]) -> None:
        """Begin a step of the n environments of a group.

        Args:
            group: the group's number.
            actions: int64 [n] of discrete choices, or float32 [n, A].
        """

    def recv(self, group: int) -> StepBatch:
        """Wait for the step that `send` began."""

    def states(self, group: int) -> Vectors:
        """Return the states [n, S] of the group's present observations, after `reset` too.

        S is 0 unless the pool was opened with_states.
        """

    def labels(self, group: int) -> Vectors:
        """Return the labels [n, L] of the group's present observations, likewise."""

    def capture(self) -> TakeSnapshots:
        """Return what gives `snapshot` of now, also when the environments have gone on."""

    def snapshot(self) -> list[bytes | None]:
        """Return the state of every environment; None for one that cannot give it."""

    def restore(self, snapshots: list[bytes]) -> None:
        """Let every environment continue exactly from what `snapshot` returned."""

    def close(self) -> None:
        """End whatever steps the environments; may be called again."""
