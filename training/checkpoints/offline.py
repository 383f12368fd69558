"""A model that was trained on a dataset, whatever it is: its folder, and the form of its file."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from agents.encoders.encoder import Encoder
from agents.encoders.objective import Objective
from configs.errors import CheckpointError
from configs.options import nearest
from training.checkpoints.payload_form import WORDS, wrong_parts
from training.checkpoints.storage import Payload, companions, load_payload
from trajectories.manifest import MANIFEST

CHECKPOINT = "model.ckpt"  # in a model's folder
GUIDES = {"encoder": "docs/encoders.md", "dynamics": "docs/world_models.md"}  # by kind of model
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


class OfflineCheckpoint(NamedTuple):
    """What was read.

    Attributes:
        path: the file.
        payload: all that it holds.
        described: what it says of its model.
        dataset: what it says of its data.
    """

    path: Path
    payload: Payload
    described: dict[str, Any]
    dataset: dict[str, Any]


def read_offline(path: Path, kind: str) -> OfflineCheckpoint:
    """Read a model of a kind; its verb is --train_KIND.

    Args:
        path: a model's folder, whose best checkpoint is taken where there is one, else the newest;
            or a checkpoint.
        kind: as `Trained` has it.

    Raises:
        CheckpointError: it is missing, damaged, or holds something else.
    """
    path = best_checkpoint(path, kind)
    payload = load_payload(path)
    check_offline_form(payload, path)
    facts = payload["facts"]
    if facts["trained"] != kind:
        raise CheckpointError(
            f"{path}: holds a model of kind {facts['trained']!r}, no {kind}; name the folder that "
            f"--train_{kind} wrote"
        )
    return OfflineCheckpoint(
        path, payload, told(facts["module"], path), told(facts["dataset"], path)
    )


def environment_id(environment: Mapping[str, Any]) -> str:
    """Return the id in a dataset's description of its environment, by whichever key it has it."""
    for key in ("EnvID", "id"):
        if key in environment:
            return str(environment[key])
    return "an environment without a name"


def best_checkpoint(path: Path, kind: str) -> Path:
    """Return the checkpoint that is meant by a model's folder; a file is meant itself.

    Args:
        path: of the folder, or of the file.
        kind: as in `read_offline`.

    Raises:
        CheckpointError: there is no such folder, or no model in it.
    """
    held = _held(path)
    if held is not None:
        return held
    if path.suffix == Path(CHECKPOINT).suffix or path.is_file():
        return path  # a reader of checkpoints says which others lie beside it
    if (path / MANIFEST).is_file():
        raise CheckpointError(
            f"{path}: holds a dataset and no model; train one on it (--train_{kind} --dataset "
            f"{path} --model_dir DIR, see {GUIDES[kind]}) and name that DIR"
        )
    if path.is_dir():
        raise CheckpointError(
            f"{path}: holds no model ({CHECKPOINT}); train one there first, by --train_{kind} (see "
            f"{GUIDES[kind]})"
        )
    near = _model_near(path)
    meant = f"did you mean {near}? " if near else ""
    raise CheckpointError(
        f"{path}: there is no such model; {meant}--train_{kind} trains one on rollouts (see "
        f"{GUIDES[kind]})"
    )


def _held(folder: Path) -> Path | None:
    """Return the best checkpoint of a model's folder, else the newest; None where it has none."""
    newest, _, best = companions(folder / CHECKPOINT)
    return next((file for file in (best, newest) if file.exists()), None)


def _model_near(path: Path) -> Path | None:
    """Return the folder with a model that `path` is most likely a slip of."""
    try:
        names = [folder.name for folder in path.parent.iterdir() if _held(folder) is not None]
    except OSError:
        return None
    name = nearest(path.name, names)
    return None if name is None else path.with_name(name)


def digest_of(module: Encoder | Objective) -> str:
    """Return the SHA-256 of a module's description, weights and statistics."""
    found = hashlib.sha256(json.dumps(module.facts, sort_keys=True).encode())
    for name, value in sorted(module.state_dict().items()):
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
            "a dataset; name the folder that --train_encoder or --train_dynamics wrote"
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
