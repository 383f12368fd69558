"""What a run leaves behind: its figures, its last word, and its state to the last bit."""

import json
import os
from pathlib import Path
from typing import Any

import torch

from training.checkpoints.storage import Payload, load_payload, unpack

LONGEST_ROWS = 16384  # bytes that hold the last row whole

# Figures that depend on the machine's mood, by the beginning of their names.
WALL_CLOCK_FIGURES = ("wall_time", "time/", "charts/SPS", "system/", "ranks/")


def run_path(folder: Path, name: str) -> Path:
    """Return the folder that holds the records of the run `name`."""
    return folder / "logs" / "runs" / name


def checkpoint_path(folder: Path, name: str) -> Path:
    """Return the run's checkpoint."""
    return folder / "checkpoints" / f"{name}.ckpt"


def read_status(folder: Path, name: str) -> dict[str, Any]:
    """Return the run's last word."""
    status: dict[str, Any] = json.loads((run_path(folder, name) / "status.json").read_text())
    return status


def figures(folder: Path, name: str) -> list[dict[str, float]]:
    """Return the run's rows without what depends on the wall clock."""
    rows = [json.loads(line) for line in (run_path(folder, name) / "metrics.jsonl").open()]
    return [
        {key: value for key, value in row.items() if not key.startswith(WALL_CLOCK_FIGURES)}
        for row in rows
    ]


def last_row(folder: Path, name: str) -> dict[str, float]:
    """Return the newest whole row of the run's figures, whatever the file's size; {} if none."""
    try:
        with (run_path(folder, name) / "metrics.jsonl").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LONGEST_ROWS))
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return {}
    return json.loads(whole.rpartition(b"\n")[2]) if whole else {}


def state_of(path: Path) -> Payload:
    """Return all state in a checkpoint, the parts of ranks unpacked; what it tells is left out."""
    payload = load_payload(path)
    del payload["facts"]
    payload["ranks"] = [unpack(part.numpy().tobytes()) for part in payload["ranks"]]
    return payload


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Return the places in which two payloads are not the same to the last bit."""
    parts, other_parts = _parts(one), _parts(other)
    if type(one) is not type(other) or parts.keys() != other_parts.keys():
        return [place]
    if parts:
        pairs = ((key, part, other_parts[key]) for key, part in parts.items())
        return [found for key, a, b in pairs for found in differences(a, b, f"{place}.{key}")]
    if isinstance(one, torch.Tensor):
        return [] if _same_bits(one, other) else [place]
    return [] if one == other else [place]


def _parts(value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list | tuple) else {}


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return one.numpy().tobytes() == other.numpy().tobytes()
