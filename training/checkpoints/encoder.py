"""A trained encoder, read back from the folder of its model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.encoders.encoder import Encoder
from agents.encoders.objective import Objective
from agents.encoders.registry import build_encoder, build_objective
from configs.errors import CheckpointError, ConfigurationError
from training.checkpoints.offline import (
    OfflineCheckpoint,
    digest_of,
    environment_id,
    read_offline,
)
from training.checkpoints.payload_form import laid_out

ENCODER = "encoder"  # what is told of a model that is one


@dataclass(frozen=True)
class TrainedEncoder:
    """An encoder that was trained, ready to be used and not to be trained further.

    Attributes:
        encoder: in evaluation mode, without gradient, on the CPU.
        digest: of what it is and of all its weights: equal for encoders that answer alike.
        path: the checkpoint.
        model: the objective that it was trained by.
        steps: optimiser steps that it was trained for.
        environment: that its data came from: id, arguments, wrappers.
        dataset: what else is known of the data: digest, split, schema, policy.
    """

    encoder: Encoder
    digest: str
    path: Path
    model: str
    steps: int
    environment: Mapping[str, Any]
    dataset: Mapping[str, Any]

    @property
    def environment_id(self) -> str:
        """The id of the environment that its data came from."""
        return environment_id(self.environment)


@dataclass(frozen=True)
class TrainedModel:
    """All of a model: its encoder, and what it was trained with.

    Attributes:
        trained: the encoder, which is the objective's own.
        objective: in evaluation mode, without gradient, on the CPU.
        held_out_loss: the best of held-out samples; None where nothing was held out.
    """

    trained: TrainedEncoder
    objective: Objective
    held_out_loss: float | None


def load_model(path: Path) -> TrainedModel:
    """Read an encoder with the objective that it was trained by, a decoder among its parts.

    Args:
        path: as in `load_encoder`.

    Raises:
        CheckpointError: as in `load_encoder`.
    """
    found = read_offline(path, ENCODER)
    path = found.path
    try:
        objective = build_objective(found.described)
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its model cannot be built here ({error}); it was saved by another version "
            "of this program"
        ) from error
    with laid_out("module", path):
        objective.load_state_dict(found.payload["module"])
    objective.eval().requires_grad_(False)
    loss = float(found.payload["best_loss"])
    return TrainedModel(
        _trained(found, objective.encoder),
        objective,
        loss if math.isfinite(loss) else None,
    )


def load_encoder(path: Path) -> TrainedEncoder:
    """Read the encoder of a model.

    Args:
        path: a model's folder, whose best checkpoint is taken where there is one, else the newest;
            or a checkpoint.

    Raises:
        CheckpointError: it is missing, damaged, no encoder's, or of a kind that is not known here.
    """
    found = read_offline(path, ENCODER)
    encoder = built_encoder(found.described, found.path)
    weights = {
        name.removeprefix("encoder."): value
        for name, value in found.payload["module"].items()
        if name.startswith("encoder.")
    }
    with laid_out("encoder", found.path):
        encoder.load_state_dict(weights)
    return _trained(found, encoder)


def _trained(found: OfflineCheckpoint, encoder: Encoder) -> TrainedEncoder:
    return TrainedEncoder(
        encoder=encoder.eval().requires_grad_(False),
        digest=digest_of(encoder),
        path=found.path,
        model=str(found.described.get("kind", "")),
        steps=found.payload["updates"],
        environment=found.dataset.get("environment", {}),
        dataset=found.dataset,
    )


def built_encoder(described: Mapping[str, Any], path: Path) -> Encoder:
    """Return the encoder of a description, whose weights are still to be laid out.

    Args:
        described: holds the encoder's facts under "encoder".
        path: where it was read.

    Raises:
        CheckpointError: it is none that is known here.
    """
    try:
        return build_encoder(described["encoder"])
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its encoder cannot be built here ({error}); it was saved by another version "
            "of this program"
        ) from error
