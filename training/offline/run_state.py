"""All that training on a dataset is, gathered into one checkpoint and laid out again.

The module and its optimiser are the same on every rank; a rank's own are its random stream and
where it is in the data.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agents.ranks import Ranks, bytes_tensor
from training.checkpoints.storage import Payload, Saver, pack, unpack
from training.loop.patient_saver import PatientSaver
from training.offline.steps import Steps
from training.ranks.agreement import on_first_rank
from trajectories.sampling import Position


@dataclass
class Progress:
    """How far training is, and how good it was.

    Attributes:
        steps: optimiser steps.
        best_loss: the smallest loss of held-out samples, of a model that is kept.
        since_best: validations since then that found none better.
    """

    steps: int = 0
    best_loss: float = float("inf")
    since_best: int = 0


class OfflineState:
    """Saves and restores.

    Args:
        steps: module and optimiser.
        generator: this rank's random stream.
        ranks: all processes.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        steps: Steps,
        generator: torch.Generator,
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, Any],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._steps = steps
        self._generator = generator
        self._ranks = ranks
        self._saver = PatientSaver(saver, on_saved)
        self._facts = facts

    def save(self, progress: Progress, position: Position, *, is_best: bool, is_last: bool) -> bool:
        """Write a checkpoint; return whether it is written (a collective).

        A disk that is full now may have room at the next save: training goes on after a failure.

        Raises:
            StorageError: on all ranks, at the third failure in a row or where `is_last`.
        """
        own = {"generator": self._generator.get_state(), "position": position.as_json()}
        parts = self._ranks.gather_bytes(pack(own))
        saved = on_first_rank(
            self._ranks, lambda: self._write(parts, progress, is_best=is_best, is_last=is_last)
        )
        return self._ranks.any(flag=bool(saved))

    def _write(
        self, parts: list[bytes], progress: Progress, *, is_best: bool, is_last: bool
    ) -> bool:
        payload: Payload = {
            "facts": self._facts,
            "updates": progress.steps,
            "best_loss": progress.best_loss,
            "since_best": progress.since_best,
            "module": self._steps.module.state_dict(),
            "optimizer": self._steps.optimizer.state_dict(),
            "ranks": [bytes_tensor(part) for part in parts],
        }
        return self._saver.save(payload, is_best=is_best, is_last=is_last)

    def restore_shared(self, payload: Payload, progress: Progress) -> None:
        """Lay out what all ranks share; the payload must fit (see `continuation`) (a collective).

        Where no best checkpoint lies beside, there is no loss to beat.
        """
        progress.steps = payload["updates"]
        if self._ranks.any(flag=self._ranks.rank == 0 and self._saver.has_best):
            progress.best_loss = float(payload["best_loss"])
        progress.since_best = payload["since_best"]
        self._steps.module.load_state_dict(payload["module"])
        # The settings are the configuration's, which a user may have changed.
        groups = self._steps.optimizer.state_dict()["param_groups"]
        self._steps.optimizer.load_state_dict({**payload["optimizer"], "param_groups": groups})

    def restore_rank(self, payload: Payload) -> Position:
        """Lay out this rank's own part; return where it is in the data."""
        own = unpack(payload["ranks"][self._ranks.rank].numpy().tobytes())
        self._generator.set_state(own["generator"])
        return Position.from_json(own["position"])


def as_text(content: dict[str, Any]) -> str:
    """Return facts as a checkpoint holds them: text that is equal where they are."""
    return json.dumps(content, sort_keys=True)
