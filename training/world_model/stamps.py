"""Which stages are whole: made by these very commands, from what is there now.

A stage leaves a stamp as it begins, and another one when it has ended well. The stamp holds a
fingerprint of its command, its recipe and of the stages that it builds on, the digest of what it
left, and the digests of what those stages had left. Stamps from before there were the latter are
taken at their word.

A stage that begins to replace what is there notes its digest too: once that is gone, the same
command goes on with the new one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Stamps:
    """The stamps of stages that share a folder.

    Attributes:
        folder: where all of it lies.
        stages: all of them, in their order.
    """

    folder: Path
    stages: Sequence[Stage]

    @cached_property
    def wanted(self) -> Fingerprints:
        """The fingerprints that whole stages have."""
        return fingerprints(self.stages)

    def is_whole(self, stage: Stage) -> bool:
        """Whether a stage need not be run: its stamp fits, and what it left is as it was."""
        stamp = self._read(stage)
        if stamp is None or stamp.get("product") is None:
            return False
        if self.is_of_other_settings(stage) or self.changed_since(stage):
            return False
        return bool(stamp["product"] == _digest(stage))

    def has(self, stage: Stage) -> bool:
        """Whether a stage was begun, as far as there is a stamp."""
        return self._path(stage).exists()

    def is_of_other_settings(self, stage: Stage) -> bool:
        """Whether what is there of a stage was made by another command."""
        stamp = self._read(stage)
        if stamp is None:
            return False
        replaced = stamp.get("replaces")
        is_still_there = replaced is not None and replaced == _digest(stage)
        return is_still_there or stamp.get("fingerprint") != self.wanted[stage.name]

    def changed_since(self, stage: Stage) -> list[str]:
        """Return the stages that have left something else, or nothing, since one was built on them.

        Of a stage without a stamp, or with one from before sources were noted, nothing is known.
        """
        before = (self._read(stage) or {}).get("sources", {})
        now = self._sources(stage)
        return [name for name in stage.needs if name in before and before[name] != now[name]]

    def is_to_be_replaced(self, stage: Stage) -> bool:
        """Whether what is there of a stage was made by another command or from something else."""
        return self.is_of_other_settings(stage) or bool(self.changed_since(stage))

    def leave(self, stage: Stage) -> None:
        """Note that a stage has ended well.

        Raises:
            StorageError: it cannot be written.
        """
        self._write(stage, product=_digest(stage))

    def leave_begun(self, stage: Stage) -> None:
        """Note that a stage begins, and what it replaces, if anything.

        Raises:
            StorageError: it cannot be written.
        """
        replaced = _digest(stage) if self.is_to_be_replaced(stage) else None
        self._write(stage, product=None, replaces=replaced)

    def remove(self, stage: Stage) -> None:
        """Forget that a stage was begun, where it was.

        Raises:
            OSError: the stamp cannot be removed.
        """
        self._path(stage).unlink(missing_ok=True)

    def _sources(self, stage: Stage) -> dict[str, str | None]:
        return {each.name: _digest(each) for each in self.stages if each.name in stage.needs}

    def _read(self, stage: Stage) -> dict[str, Any] | None:
        return read_json(self._path(stage))

    def _write(self, stage: Stage, **digests: str | None) -> None:
        stamp = {
            "fingerprint": self.wanted[stage.name],
            **digests,
            "sources": self._sources(stage),
        }
        replace_file(self._path(stage), (json.dumps(stamp, indent=2) + "\n").encode())

    def _path(self, stage: Stage) -> Path:
        return self.folder / "stages" / f"{stage.name}.json"


def _digest(stage: Stage) -> str | None:
    """Return the digest of what a stage left, None where there is nothing."""
    path = stage.found()
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
