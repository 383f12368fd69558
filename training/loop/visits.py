"""Which states were visited: counts over two dimensions of a state vector, or over frames."""

import copy
import functools
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import StorageError
from training.checkpoints.storage import Payload, unpack
from training.figures.coverage import Coverage, finite_bounds
from training.loop.frame_cells import CHUNK_SIZE, NUM_CELLS
from workers.environments.base import EnvironmentSpec

FrameCells = Callable[[torch.Tensor], NDArray[np.int64]]
_LOG = logging.getLogger(__name__)


def empty_coverage(spec: EnvironmentSpec) -> Coverage | None:
    """Return counts of nothing yet; None where no states are counted."""
    if len(spec.observation_shape) != 1 or spec.observation_shape[0] < 2:
        return None
    return Coverage(*finite_bounds(spec.observation_low[:2], spec.observation_high[:2]))


def visits_until(payload: Payload, spec: EnvironmentSpec) -> Coverage | None:
    """Return the visits of all ranks until a checkpoint; None where no states are counted."""
    coverage = empty_coverage(spec)
    if coverage is not None:
        coverage.counts += counts_until(payload).numpy()
    return coverage


def counts_until(payload: Payload) -> torch.Tensor:
    """Return the counts of all ranks until a checkpoint, as VisitRecorder.state has those of one.

    Ranks are unpacked one after the other: they may be large.
    """
    parts = (unpack(part.numpy().tobytes())["visits"] for part in payload["ranks"])
    total: torch.Tensor = functools.reduce(torch.add, (counts.clamp(min=0) for counts in parts))
    return total


class VisitRecorder:
    """Counts visits of this rank's environments; saves those of all ranks.

    State vectors of two dimensions or more are counted in a grid, which is drawn; frames, where
    asked for, in a table that is not.

    Args:
        spec: the environment.
        ranks: all agent processes.
        path: the .npz file of the grid, written on rank 0.
        frame_cells: gives the cells below NUM_CELLS of frames [B, C, H, W]; None: frames are not
            counted.

    Attributes:
        num_cells: of the grid or the table, 0 where nothing is counted.
        counts: [num_cells] int64, visits of this rank.
        cells: [T * N] int64, where the last rollout's steps t * N + n led to.
    """

    def __init__(
        self, spec: EnvironmentSpec, ranks: Ranks, path: Path, frame_cells: FrameCells | None
    ) -> None:
        self._ranks = ranks
        self._path = path
        self._coverage = empty_coverage(spec)
        self._frame_cells = frame_cells if len(spec.observation_shape) == 3 else None
        self._table = np.zeros(NUM_CELLS if self._frame_cells else 0, np.int64)
        self.cells = np.zeros(0, np.int64)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The visits of each cell, flat."""
        return self._table if self._coverage is None else self._coverage.counts.reshape(-1)

    @property
    def num_cells(self) -> int:
        """How many cells there are."""
        return self.counts.size

    def add(self, rollout: RolloutBuffer) -> None:
        """Count what the steps of a rollout led to."""
        if self.num_cells == 0:
            return
        samples = torch.arange(rollout.rewards.numel(), device=rollout.device)
        if self._coverage is not None:
            self.add_states(rollout.next_frames(samples).cpu().numpy())
        elif self._frame_cells is not None:
            chunks = samples.split(CHUNK_SIZE)
            parts = [self._frame_cells(rollout.next_frames(chunk)) for chunk in chunks]
            self.cells = np.concatenate(parts)
            self._table += np.bincount(self.cells, minlength=NUM_CELLS)

    def add_states(self, states: NDArray[np.float32]) -> None:
        """Count state vectors [n, D]; only where state vectors are counted."""
        if self._coverage is not None:
            self.cells = self._coverage.cells(states)
            self._coverage.add_cells(self.cells)

    def save(self) -> None:
        """Write the grid of all ranks (a collective)."""
        if self._coverage is None:
            return
        counts = self._ranks.sum(torch.from_numpy(self._coverage.counts))
        if self._ranks.rank == 0:
            total = copy.copy(self._coverage)
            total.counts = counts.numpy()
            try:
                total.save(self._path)
            except StorageError as error:  # it only serves a picture, and checkpoints hold it too
                _LOG.warning("%s; the next save tries again", error)

    def state(self) -> torch.Tensor:
        """Return this rank's counts, int64; empty where nothing is counted."""
        counts = self._table if self._coverage is None else self._coverage.counts
        return torch.from_numpy(counts.copy())

    def restore(self, counts: torch.Tensor) -> None:
        """Continue from what `state` returned; where frames were not counted yet, from nothing."""
        if self._coverage is not None:
            self._coverage.counts = counts.numpy()
        elif len(counts) == len(self._table):
            self._table = counts.numpy().copy()

    def restore_first(self, payload: Payload) -> None:
        """Continue from the counts of all ranks of a checkpoint: the first rank takes their sum."""
        if self.num_cells and self._ranks.rank == 0:
            self.restore(counts_until(payload))
