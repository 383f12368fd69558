"""The best checkpoint of a run, and a disk that has no room for it."""

from pathlib import Path

import pytest

from training.checkpoints.storage import companions, load_payload


def best_of(path: Path) -> tuple[int, float]:
    """Return of which update or generation the best checkpoint is, and its score."""
    best = load_payload(companions(path)[2])
    return best["updates"], best["best_score"]


def fill_disk(patch: pytest.MonkeyPatch) -> None:
    """Let every save fail as on a full disk."""

    def full(path: Path, data: bytes) -> Path:
        raise OSError(28, "No space left on device")

    patch.setattr("training.checkpoints.storage._write_temporary", full)
