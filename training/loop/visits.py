"""Which states were visited: counts over the first two dimensions of a state vector."""

import copy
import logging
from pathlib import Path

import numpy as np
import torch

from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import StorageError
from training.checkpoints.storage import Payload, unpack
from training.figures.coverage import Coverage, finite_bounds
from workers.environments.base import EnvironmentSpec

_LOG = logging.getLogger(__name__)


def empty_coverage(spec: EnvironmentSpec) -> Coverage | None:
    """Return counts of nothing yet; None where no states are counted."""
    if len(spec.observation_shape) != 1 or spec.observation_shape[0] < 2:
        return None
    return Coverage(*finite_bounds(spec.observation_low[:2], spec.observation_high[:2]))


def visits_until(payload: Payload, spec: EnvironmentSpec) -> Coverage | None:
    """Return the visits of all ranks until a checkpoint; None where no states are counted."""
    coverage = empty_coverage(spec)
    if coverage is None:
        return None
    for part in payload["ranks"]:
        counts = unpack(part.numpy().tobytes())["visits"].numpy()
        coverage.counts += np.maximum(counts, 0)
    return coverage


class VisitRecorder:
    """Counts visits of this rank's environments; saves those of all ranks.

    Frames are not counted: only environments with a state vector of two dimensions or more are.

    Args:
        spec: the environment.
        ranks: all agent processes.
        path: the .npz file, written on rank 0.
    """

    def __init__(self, spec: EnvironmentSpec, ranks: Ranks, path: Path) -> None:
        self._ranks = ranks
        self._path = path
        self._coverage = empty_coverage(spec)

    def add(self, rollout: RolloutBuffer) -> None:
        """Count the observations of a rollout."""
        if self._coverage is not None:
            samples = torch.arange(rollout.rewards.numel(), device=rollout.device)
            self._coverage.add(rollout.next_frames(samples).cpu().numpy())

    def save(self) -> None:
        """Write the visits of all ranks (a collective)."""
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
        if self._coverage is None:
            return torch.zeros(0, dtype=torch.int64)
        return torch.from_numpy(self._coverage.counts.copy())

    def restore(self, counts: torch.Tensor) -> None:
        """Continue from what `state` returned."""
        if self._coverage is not None:
            self._coverage.counts = counts.numpy()
