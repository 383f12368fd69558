"""The arrays that the pool and its workers share: one table of fields, one block of memory.

The block is an anonymous memory file (memfd): it has no name, so nothing can be left behind
however a process ends, and it does not lie under /dev/shm, so a container's --shm-size does not
bound it. Its pages are allocated before the first use: too little memory is an error then, never
a SIGBUS later.
"""

import errno
import math
import mmap
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.errors import StorageError
from workers.environments.base import EnvironmentSpec
from workers.processes.free_memory import available_memory
from workers.shared.protocol import NO_SEED, EpisodeSummary, StepBatch

PRIVATE = -1  # in the place of a descriptor: memory of this process alone
ALIGNMENT = 64  # bytes: a cache line, so that no two fields share one


class Field(NamedTuple):
    """Shape and dtype of one shared array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        """Size without padding."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def field_table(
    spec: EnvironmentSpec, num_environments: int, num_workers: int, *, with_states: bool = False
) -> dict[str, Field]:
    """Return every shared field: who writes it is said in brackets.

    actions, next_seeds [pool]; observations, final_observations, rewards, terminated, truncated and
    the running scores and lengths of full games [the worker that owns the row; the pool for a lost
    worker's rows]; progress: environment and `Phase` of each worker [that worker].

    There are two slots of observations, written in turn: while a step is under way, the last ones
    are still whole, and a worker that is lost half-way has not spoilt them. `states` and `labels`
    go with the observations; they have no columns unless `with_states`.
    """
    N, shape, dtype = num_environments, spec.observation_shape, spec.observation_dtype
    S, L = (len(spec.state_names), len(spec.label_names)) if with_states else (0, 0)
    return {
        "actions": Field((N,), "int64")
        if spec.discrete
        else Field((N, spec.num_actions), "float32"),
        "observations": Field((2, N, *shape), dtype),
        "final_observations": Field((N, *shape), dtype),
        "states": Field((2, N, S), "float32"),
        "final_states": Field((N, S), "float32"),
        "labels": Field((2, N, L), "float32"),
        "final_labels": Field((N, L), "float32"),
        "next_seeds": Field((N,), "int64"),
        "rewards": Field((N,), "float32"),
        "terminated": Field((N,), "bool"),
        "truncated": Field((N,), "bool"),
        "scores": Field((N,), "float64"),
        "lengths": Field((N,), "int64"),
        "progress": Field((num_workers, 2), "int32"),
    }


class SharedArrays:
    """Numpy views of one block of shared memory, one attribute per field of `field_table`.

    Views stay valid as long as anyone holds them; the memory goes when the last one does.

    Attributes:
        block: the bytes of all fields.
    """

    block: NDArray[np.uint8]
    actions: NDArray[Any]
    observations: NDArray[Any]
    final_observations: NDArray[Any]
    states: NDArray[np.float32]
    final_states: NDArray[np.float32]
    labels: NDArray[np.float32]
    final_labels: NDArray[np.float32]
    next_seeds: NDArray[np.int64]
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    scores: NDArray[np.float64]
    lengths: NDArray[np.int64]
    progress: NDArray[np.int32]

    def __init__(self, file_descriptor: int, table: dict[str, Field]) -> None:
        """Map the memory file behind `file_descriptor`, which may be closed afterwards.

        With `PRIVATE` the arrays lie in fresh zeroed memory that nobody shares.
        """
        memory = mmap.mmap(file_descriptor, total_bytes(table))
        self.block = np.frombuffer(memory, np.uint8)
        offset = 0
        for name, field in table.items():
            flat = self.block[offset : offset + field.num_bytes].view(field.dtype)
            setattr(self, name, flat.reshape(field.shape))
            offset += _padded(field.num_bytes)

    def plan_resets(self, seeds: NDArray[np.int64]) -> None:
        """Note the seeds [N] of the resets that come next; NO_SEED where none is planned."""
        self.next_seeds[...] = seeds

    def planned_seeds(
        self, rows: range, otherwise: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the planned seed of each row's next reset; where there is none, `otherwise`'s."""
        planned = self.next_seeds[rows.start : rows.stop].tolist()
        pairs = zip(planned, otherwise, strict=True)
        return tuple(other if seed == NO_SEED else seed for seed, other in pairs)

    def describe_step(self, row: int) -> str:
        """Say what an environment is stepped with: "action 3, env step 17 of its game"."""
        action = np.array2string(
            np.asarray(self.actions[row]), precision=3, threshold=8, separator=", "
        )
        return f"action {action}, env step {self.lengths[row] + 1} of its game"

    def take_actions(self, rows: slice, actions: NDArray[Any]) -> None:
        """Copy the actions of `rows`.

        Raises:
            ValueError: they have another shape or dtype.
        """
        own = self.actions[rows]
        if actions.shape != own.shape or actions.dtype != own.dtype:
            raise ValueError(
                f"actions must be {own.dtype} {list(own.shape)}, "
                f"not {actions.dtype} {list(actions.shape)}"
            )
        own[...] = actions

    def batch(self, rows: slice, slot: int, episodes: list[EpisodeSummary]) -> StepBatch:
        """Return the step of `rows` that was written last, whose observations are in `slot`."""
        return StepBatch(
            observations=self.observations[slot, rows],
            final_observations=self.final_observations[rows],
            rewards=self.rewards[rows],
            terminated=self.terminated[rows],
            truncated=self.truncated[rows],
            episodes=episodes,
            states=self.states[slot, rows],
            labels=self.labels[slot, rows],
            final_states=self.final_states[rows],
            final_labels=self.final_labels[rows],
        )


def allocate(table: dict[str, Field]) -> int:
    """Make a zeroed memory file that holds `table`; return its descriptor, the caller's to close.

    Raises:
        StorageError: the memory cannot be had.
    """
    needed = total_bytes(table)
    file_descriptor = os.memfd_create("scout-arrays", os.MFD_CLOEXEC)
    available = available_memory()
    try:
        # The kernel would rather kill a process than refuse the last page.
        if needed > available:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        os.posix_fallocate(file_descriptor, 0, needed)
    except OSError as error:
        os.close(file_descriptor)
        raise StorageError(
            f"the environments' shared arrays need {needed:,} bytes of memory, which the system "
            f"refused ({error.strerror}; available: {available:,} bytes): lower NumEnv, or raise "
            "the memory or file-size limit (docker --memory, ulimit -f)"
        ) from error
    return file_descriptor


def total_bytes(table: dict[str, Field]) -> int:
    """Size of the block that holds `table`, padding included."""
    return sum(_padded(field.num_bytes) for field in table.values())


def _padded(num_bytes: int) -> int:
    return -(-num_bytes // ALIGNMENT) * ALIGNMENT
