"""Which stages are whole: made by these very commands, from what is there now.

A stage leaves a stamp when it has ended well. The stamp holds a fingerprint of its command, its
recipe and of the stamps that it builds on, and the digest of what it left.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from training.folders.files import read_json, replace_file
from training.world_model.stages import Stage

Fingerprints = dict[str, str]


def fingerprints(stages: Sequence[Stage]) -> Fingerprints:
    """Return what each stage depends on, as one digest: it changes with all it is built on."""
    found: Fingerprints = {}
    for stage in stages:
        recipe = "" if stage.recipe is None else stage.recipe.read_text(encoding="utf-8")
        parts = [*stage.words, recipe, *(found[name] for name in stage.needs)]
        found[stage.name] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return found


def leave_stamp(folder: Path, stage: Stage, fingerprint: str) -> None:
    """Note that a stage has ended well.

    Raises:
        StorageError: it cannot be written.
    """
    stamp = {"fingerprint": fingerprint, "product": _digest(stage.found())}
    replace_file(_path(folder, stage), (json.dumps(stamp, indent=2) + "\n").encode())


def is_whole(folder: Path, stage: Stage, fingerprint: str) -> bool:
    """Whether a stage need not be run: its stamp fits, and what it left is as it was."""
    stamp = read_json(_path(folder, stage))
    wanted = {"fingerprint": fingerprint, "product": _digest(stage.found())}
    return stamp == wanted and wanted["product"] is not None


def is_of_other_settings(folder: Path, stage: Stage, fingerprint: str) -> bool:
    """Whether a stage has ended well before, by another command or from something else."""
    stamp = read_json(_path(folder, stage))
    return stamp is not None and stamp.get("fingerprint") != fingerprint


def remove_stamp(folder: Path, stage: Stage) -> None:
    """Forget that a stage has ended, where it has.

    Raises:
        OSError: it cannot be removed.
    """
    _path(folder, stage).unlink(missing_ok=True)


def _path(folder: Path, stage: Stage) -> Path:
    return folder / "stages" / f"{stage.name}.json"


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
