"""All that an evolution is between two generations, gathered into one checkpoint.

All of it is shared: environments hold nothing, since every generation resets them by its seeds. So
a run goes on exactly on any number of ranks, workers and environments.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.controllers.cma_es import CMAES
from agents.controllers.controller import Controller
from agents.ranks import Ranks, bytes_tensor
from configs.errors import CheckpointError
from training.checkpoints.controller import MEAN, STRATEGY
from training.checkpoints.payload_form import laid_out
from training.checkpoints.storage import Payload, Saver
from training.loop.episodes import EpisodeLog
from training.loop.patient_saver import PatientSaver
from training.ranks.agreement import on_first_rank
from training.session import Clock


class EvolutionState:
    """Saves; a disk that is full now may have room at the next save.

    Args:
        weights: of the models that controllers look through, by names that do not change.
        ranks: all processes.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        weights: dict[str, Tensor],
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, Any],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._weights = weights
        self._ranks = ranks
        self._saver = PatientSaver(saver, on_saved)
        self._facts = facts
        self._best_score = float("-inf")
        self._strategy, self._mean = b"", torch.zeros(0)

    def note(self, strategy: CMAES | None) -> None:
        """Take what the next generation will change; the strategy is there on rank 0 alone."""
        if strategy is not None:
            self._strategy, self._mean = strategy.to_bytes(), torch.from_numpy(strategy.mean)

    def restore(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out all but the strategy (a collective).

        Where no best checkpoint lies beside, as under a new name, there is no score to beat.
        """
        clock.updates, clock.env_steps = payload["updates"], payload["env_steps"]
        if self._ranks.any(flag=self._ranks.rank == 0 and self._saver.has_best):
            self._best_score = float(payload["best_score"])
        episodes.restore(payload["episodes"])

    def is_best(self, scores: NDArray[np.float64] | None) -> bool:
        """Return whether no mean that is kept has scored as well in an evaluation."""
        return scores is not None and bool(scores.mean() > self._best_score)

    def save(
        self,
        clock: Clock,
        episodes: EpisodeLog,
        *,
        scores: NDArray[np.float64] | None,
        is_last: bool,
    ) -> None:
        """Write a checkpoint of what was noted last (a collective).

        Args:
            clock, episodes: how far the run is, and its episodes.
            scores: of the mean in an evaluation of now, where there was one.
            is_last: whether there is no other save after this one.

        Raises:
            StorageError: on all ranks, at the third failure in a row or where `is_last`.
        """
        is_best, best_score = self.is_best(scores), self._best_score
        if scores is not None and is_best:
            best_score = float(scores.mean())
        payload: Payload = {
            "facts": self._facts,
            "updates": clock.updates,
            "env_steps": clock.env_steps,
            "best_score": best_score,
            "episodes": episodes.state(),
            "learner": {MEAN: self._mean, **self._weights},
            "optimizer": {STRATEGY: bytes_tensor(self._strategy)},
            "ranks": [],
        }
        saved = on_first_rank(
            self._ranks, lambda: self._saver.save(payload, is_best=is_best, is_last=is_last)
        )
        if self._ranks.any(flag=bool(saved)):
            self._best_score = best_score  # a score without its file would keep others from one


def kept_strategy(payload: Payload, controller: Controller, path: Path) -> CMAES:
    """Return the strategy of a checkpoint.

    Raises:
        CheckpointError: it cannot be used, or is of another controller.
    """
    with laid_out("strategy", path):
        strategy = CMAES.from_bytes(payload["optimizer"][STRATEGY].numpy().tobytes())
    if strategy.num_parameters != controller.num_parameters:
        raise CheckpointError(
            f"{path}: its controller has {strategy.num_parameters} parameters, that of this "
            f"configuration {controller.num_parameters}"
        )
    return strategy
