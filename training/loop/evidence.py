"""What a step that went non-finite was made of, kept so that it can be taken again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from agents.ppo.gradient_steps import NonFiniteGradientError
from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from configs.errors import NonFiniteError, StorageError
from training.checkpoints.storage import pack
from training.folders.files import replace_file
from training.session import Clock


class Evidence:
    """Writes non_finite-rank<r>.pt, which torch.load reads with weights_only.

    It holds this rank's minibatch, the state of its random stream after that was drawn, and on
    rank 0 the weights, which are the same on all ranks.

    Args:
        agent, ranks: whose step it was.
        facts: what a checkpoint tells of its run; the seed is in its configuration.
        folder: the run's folder.
    """

    def __init__(self, agent: PPOAgent, ranks: Ranks, facts: dict[str, Any], folder: Path) -> None:
        self._agent = agent
        self._ranks = ranks
        self._facts = facts
        self._folder = folder

    def keep(self, error: NonFiniteGradientError, clock: Clock) -> NonFiniteError:
        """Write the file; return the error with the update and the file's name in its message."""
        path = self._folder / f"non_finite-rank{self._ranks.rank}.pt"
        payload = {
            "facts": self._facts,
            "reason": str(error),
            "rank": self._ranks.rank,
            "updates": clock.updates,
            "env_steps": clock.env_steps,
            "generator": self._agent.generator.get_state(),
            "batch": tensors_of(error.batch),
            "learner": self._agent.learner.state_dict() if self._ranks.rank == 0 else {},
        }
        kept = f"its minibatch is kept in {path}"
        try:
            replace_file(path, pack(payload))
        except StorageError as failure:
            kept = f"its minibatch is lost: {failure}"
        return NonFiniteError(f"{error} in update {clock.updates + 1}; {kept}")


def tensors_of(value: Any, name: str = "") -> dict[str, Tensor]:
    """Return the tensors of tuples within each other, by dotted names or numbers."""
    if isinstance(value, Tensor):
        return {name: value}
    found: dict[str, Tensor] = {}
    if isinstance(value, tuple):
        names: Iterable[Any] = getattr(value, "_fields", range(len(value)))
        for part, inner in zip(names, value, strict=True):
            found |= tensors_of(inner, f"{name}.{part}".lstrip("."))
    return found
