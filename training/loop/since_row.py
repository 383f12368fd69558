"""What is gathered between two log rows: bonuses by state, and the largest step of the policy."""

import numpy as np
import torch
from torch import Tensor

from agents.ppo.policy_change import GREEDY_DROP
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from training.checkpoints.storage import Payload
from training.figures.novelty import NOVELTY, novelty_correlation
from training.loop.visits import VisitRecorder


class SinceRow:
    """Figures of an interval, those of all ranks together.

    Args:
        visits: counts the states; given a rollout before this is.
        ranks: all agent processes.
        has_bonus: whether there are bonuses to look at.
    """

    def __init__(self, visits: VisitRecorder, ranks: Ranks, *, has_bonus: bool) -> None:
        self._visits = visits
        self._ranks = ranks
        self._counts_bonuses = has_bonus and visits.num_cells > 0
        self._drop: Tensor | None = None
        self._forget()

    def add(self, rollout: RolloutBuffer, losses: dict[str, Tensor]) -> None:
        """Add an update: the rollout that was learned from last, and its figures."""
        if GREEDY_DROP in losses:
            drop = losses[GREEDY_DROP]
            self._drop = drop if self._drop is None else torch.maximum(self._drop, drop)
        if self._counts_bonuses:
            cells, size = self._visits.cells, self._visits.num_cells
            bonuses = rollout.bonuses.flatten().double().cpu().numpy()
            self._sums += np.bincount(cells, bonuses, minlength=size)
            self._counts += np.bincount(cells, minlength=size)

    def read(self) -> dict[str, Tensor]:
        """Return the figures since the last call (a collective); the same on all ranks."""
        figures: dict[str, Tensor] = {}
        if self._drop is not None:
            figures[GREEDY_DROP] = torch.stack(self._ranks.gather(self._drop)).max()
        if self._counts_bonuses:
            table = np.stack([self._visits.counts, self._sums, self._counts])
            summed = self._ranks.sum(torch.from_numpy(table)).numpy()
            correlation = novelty_correlation(*summed)
            if correlation is not None:
                figures[NOVELTY] = torch.tensor(correlation)
        self._forget()
        return figures

    def state(self) -> Payload:
        """Return what was gathered since the last row; of cells only those that were visited."""
        cells = self._counts.nonzero()[0]
        return {
            "drop": torch.zeros(0) if self._drop is None else self._drop.reshape(1).cpu(),
            "cells": torch.from_numpy(cells),
            "sums": torch.from_numpy(self._sums[cells]),
            "counts": torch.from_numpy(self._counts[cells]),
        }

    def restore(self, state: Payload) -> None:
        """Go on from what `state` returned."""
        self._forget()
        if len(state["drop"]):
            self._drop = state["drop"].reshape(()).to(self._ranks.device)
        if self._counts_bonuses:
            cells = state["cells"].numpy()
            self._sums[cells] = state["sums"].numpy()
            self._counts[cells] = state["counts"].numpy()

    def _forget(self) -> None:
        size = self._visits.num_cells if self._counts_bonuses else 0
        self._sums, self._counts = np.zeros(size), np.zeros(size, np.int64)
        self._drop = None
