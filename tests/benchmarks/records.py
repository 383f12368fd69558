"""Runs that were never trained: figures as main.py would leave them."""

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def row(env_steps: int, score: float, **more: Any) -> Row:
    """One row: a mean of 100 episodes, the best of them at least as good, 1,000 env steps/s."""
    return {
        "env_steps": env_steps,
        "charts/episodic_return": score,
        "charts/episodic_return_max": score,
        "charts/episodes": 100.0,
        "charts/SPS": 1000.0,
        **more,
    }


def leave_rows(folder: Path, rows: list[Row]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def leave_status(folder: Path, code: int | None, env_steps: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps({"code": code, "env_steps": env_steps}))
