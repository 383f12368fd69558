"""A trained model of sequences, read back from its folder, and the encoder that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.registry import build_dynamics
from configs.errors import CheckpointError, ConfigurationError
from training.checkpoints.encoder import ENCODER, TrainedEncoder
from training.checkpoints.offline import digest_of, environment_id, read_offline
from training.checkpoints.payload_form import laid_out

DYNAMICS = "dynamics"  # what is told of a model that is one


@dataclass(frozen=True)
class TrainedDynamics:
    """A model of sequences that was trained, ready to be used and not to be trained further.

    Attributes:
        dynamics: in evaluation mode, without gradient, on the CPU.
        digest: of what it is and of all its weights.
        path: the checkpoint.
        steps: optimiser steps that it was trained for.
        dataset: what is known of its data: digest, split, environment, schema, policy, encoder.
    """

    dynamics: Dynamics
    digest: str
    path: Path
    steps: int
    dataset: Mapping[str, Any]

    @property
    def environment(self) -> Mapping[str, Any]:
        """The environment that its data came from: id, arguments, wrappers."""
        found: Mapping[str, Any] = self.dataset.get("environment", {})
        return found

    @property
    def environment_id(self) -> str:
        """The id of that environment."""
        return environment_id(self.environment)

    @property
    def encoder_digest(self) -> str | None:
        """The digest of the encoder whose latents it learnt; None where it learnt from vectors."""
        encoder = self.dataset.get(ENCODER)
        return None if encoder is None else str(encoder["digest"])


def load_dynamics(path: Path) -> TrainedDynamics:
    """Read a model of sequences.

    Args:
        path: a model's folder, whose best checkpoint is taken where there is one, else the newest;
            or a checkpoint.

    Raises:
        CheckpointError: it is missing, damaged, no model of sequences, or of a kind that is not
            known here.
    """
    found = read_offline(path, DYNAMICS)
    try:
        dynamics = build_dynamics(found.described)
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{found.path}: its model cannot be built here ({error}); it was saved by another "
            "version of this program"
        ) from error
    with laid_out("module", found.path):
        dynamics.load_state_dict(found.payload["module"])
    return TrainedDynamics(
        dynamics=dynamics.eval().requires_grad_(False),
        digest=digest_of(dynamics),
        path=found.path,
        steps=found.payload["updates"],
        dataset=found.dataset,
    )


def check_pair(encoder: TrainedEncoder, dynamics: TrainedDynamics) -> None:
    """Refuse an encoder and a model of sequences that learnt another one's latents.

    Raises:
        CheckpointError: names both.
    """
    if dynamics.encoder_digest == encoder.digest:
        return
    learnt = (
        "vectors that no encoder made"
        if dynamics.encoder_digest is None
        else f"the latents of encoder {dynamics.encoder_digest[:12]}"
    )
    raise CheckpointError(
        f"{dynamics.path}: learnt {learnt}, and {encoder.path} is encoder {encoder.digest[:12]}; "
        "name the encoder that its dataset was encoded with, or encode anew and train it on that"
    )
