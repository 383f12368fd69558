"""A trained encoder, read back from the folder of its model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from agents.encoders.encoder import Encoder
from agents.encoders.registry import build_encoder
from configs.errors import CheckpointError, ConfigurationError
from training.checkpoints.payload_form import WORDS, laid_out, wrong_parts
from training.checkpoints.storage import Payload, companions, load_payload

CHECKPOINT = "model.ckpt"  # in a model's folder
ENCODER = "encoder"  # what is told of a model that is one
PARTS: Mapping[str, type] = {
    "facts": dict,
    "updates": int,
    "best_loss": float,
    "since_best": int,
    "module": dict,
    "optimizer": dict,
    "ranks": list,
}
FACTS: Mapping[str, type] = {
    "trained": str,
    "module": str,
    "dataset": str,
    "config": dict,
    "threads": int,
    "versions": dict,
}


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


def load_encoder(path: Path) -> TrainedEncoder:
    """Read the encoder of a model.

    Args:
        path: a model's folder, whose best checkpoint is taken where there is one, else the newest;
            or a checkpoint.

    Raises:
        CheckpointError: it is missing, damaged, no encoder's, or of a kind that is not known here.
    """
    path = best_checkpoint(path)
    payload = load_payload(path)
    check_offline_form(payload, path)
    facts = payload["facts"]
    if facts["trained"] != ENCODER:
        raise CheckpointError(f"{path}: holds a model of kind {facts['trained']!r}, no encoder")
    described, dataset = told(facts["module"], path), told(facts["dataset"], path)
    encoder = built_encoder(described, path)
    weights = {
        name.removeprefix("encoder."): value
        for name, value in payload["module"].items()
        if name.startswith("encoder.")
    }
    with laid_out("encoder", path):
        encoder.load_state_dict(weights)
    return TrainedEncoder(
        encoder=encoder.eval().requires_grad_(False),
        digest=digest_of(encoder),
        path=path,
        model=str(described.get("kind", "")),
        steps=payload["updates"],
        environment=dataset.get("environment", {}),
        dataset=dataset,
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


def environment_id(environment: Mapping[str, Any]) -> str:
    """Return the id in a dataset's description of its environment, by whichever key it has it."""
    for key in ("EnvID", "id"):
        if key in environment:
            return str(environment[key])
    return "an environment without a name"


def best_checkpoint(path: Path) -> Path:
    """Return the checkpoint that is meant by a model's folder; a file is meant itself.

    Raises:
        CheckpointError: there is no such folder or file, or no model in it.
    """
    if not path.is_dir():
        return path
    newest, _, best = companions(path / CHECKPOINT)
    for file in (best, newest):
        if file.exists():
            return file
    raise CheckpointError(f"{path}: holds no model ({CHECKPOINT}); train one there first")


def digest_of(encoder: Encoder) -> str:
    """Return the SHA-256 of an encoder's description, weights and statistics."""
    found = hashlib.sha256(json.dumps(encoder.facts, sort_keys=True).encode())
    for name, value in sorted(encoder.state_dict().items()):
        found.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def check_offline_form(payload: Payload, path: Path) -> None:
    """Refuse a payload that is not what training on a dataset saves.

    Raises:
        CheckpointError: it is a policy's, or parts of it are missing or of another kind.
    """
    if "learner" in payload:
        raise CheckpointError(
            f"{path}: is the checkpoint of a policy (--train), not of a model that was trained on "
            "a dataset; name the folder that --train_encoder wrote"
        )
    problems = list(wrong_parts("", payload, PARTS))
    if not problems:
        problems += wrong_parts("facts.", payload["facts"], FACTS)
        problems += [
            f"  {place}: wanted {WORDS[Tensor]}, found {type(value).__name__}"
            for place, values in (
                ("module", payload["module"].values()),
                ("ranks", payload["ranks"]),
            )
            for value in values
            if not isinstance(value, Tensor)
        ]
    if problems:
        raise CheckpointError(
            f"{path}: not a checkpoint of a model trained on a dataset:\n" + "\n".join(problems)
        )


def told(text: str, path: Path) -> dict[str, Any]:
    """Return what is kept as text in the file at `path`.

    Raises:
        CheckpointError: it is not the text of an object.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: what it tells of itself cannot be read") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: what it tells of itself cannot be read")
    return content
