"""What a step that went non-finite was made of, kept so that it can be taken again."""

from pathlib import Path
from typing import Any

import torch

from agents.ranks import Ranks
from configs.errors import NonFiniteError, StorageError
from training.checkpoints.storage import pack
from training.folders.files import replace_file
from training.loop.evidence import tensors_of
from training.offline.steps import NonFiniteStepError, Steps


class StepEvidence:
    """Writes non_finite-rank<r>.pt, which torch.load reads with weights_only.

    Args:
        steps: what is trained.
        generator: this rank's stream, as it is after the step.
        ranks: whose step it was.
        facts: what a checkpoint tells of its run.
        folder: the model's.
        remedy: what to do about it, in words.
    """

    def __init__(
        self,
        steps: Steps,
        generator: torch.Generator,
        ranks: Ranks,
        facts: dict[str, Any],
        folder: Path,
        remedy: str,
    ) -> None:
        self._steps = steps
        self._generator = generator
        self._ranks = ranks
        self._facts = facts
        self._folder = folder
        self._remedy = remedy

    def keep(self, error: NonFiniteStepError, step: int) -> NonFiniteError:
        """Write the file; return the error with the step and the file's name in its message."""
        path = self._folder / f"non_finite-rank{self._ranks.rank}.pt"
        payload = {
            "facts": self._facts,
            "reason": str(error),
            "rank": self._ranks.rank,
            "updates": step,
            "generator": self._generator.get_state(),
            "batch": tensors_of(error.samples),
            "module": self._steps.module.state_dict() if self._ranks.rank == 0 else {},
        }
        kept = f"its batch is kept in {path}"
        try:
            replace_file(path, pack(payload))
        except StorageError as failure:
            kept = f"its batch is lost: {failure}"
        return NonFiniteError(f"{error} in step {step}; {kept}; {self._remedy}")
