"""Runs of main.py as processes of their own, and the figures that they leave."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.options import nearest

PROJECT = Path(__file__).resolve().parent.parent
RUNS = Path("logs/runs")
SCORE, BEST_SCORE, EPISODES = (
    "charts/episodic_return",  # the mean of the last 100 training episodes
    "charts/episodic_return_max",
    "charts/episodes",
)
FULL_WINDOW = 100

Row = dict[str, Any]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # env steps [n], values [n]


def main_py(*arguments: str) -> None:
    """Run main.py to its end in the current folder; print its output only where it fails."""
    command = [sys.executable, str(PROJECT / "main.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")


def start_main_py(arguments: Sequence[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start main.py in `folder` on one torch thread; all it prints is added to `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, str(PROJECT / "main.py"), *arguments],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def find_run(name: str) -> Path:
    """Return the folder of a run: one of logs/runs by its name, or any other by its path.

    Raises:
        ConfigurationError: it holds no figures; names the nearest run that does.
    """
    for folder in (RUNS / name, Path(name)):
        if (folder / "metrics.jsonl").is_file():
            return folder
    there = sorted(path.parent.name for path in RUNS.glob("*/metrics.jsonl"))
    near = nearest(name, there)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(there) or 'none'}"
    raise ConfigurationError(f"run {name!r}: no metrics.jsonl in {RUNS / name}; {hint}")


def read_rows(folder: Path) -> list[Row]:
    """Return all rows of a run's figures; the last may be torn while the run is under way.

    Raises:
        ConfigurationError: there are none, or a row cannot be read.
    """
    path = folder / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines(True) if line[-1] == "\n"]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not rows:
        raise ConfigurationError(f"{path} is empty: the run has not finished an update")
    return rows


def first_step(rows: Sequence[Row], holds: Callable[[Row], bool]) -> int | None:
    """Return the env steps of the first row for which `holds`, None if there is none."""
    return next((row["env_steps"] for row in rows if holds(row)), None)


def first_score_above(rows: Sequence[Row], floor: float) -> int | None:
    """Return the env steps at which an episode first scored more than `floor`."""
    return first_step(rows, lambda row: BEST_SCORE in row and row[BEST_SCORE] > floor)


def mean_reached(rows: Sequence[Row], holds: Callable[[float], bool]) -> int | None:
    """Return the env steps at which `holds` first for the mean of 100 full training episodes."""
    return first_step(rows, lambda row: row.get(EPISODES, 0) >= FULL_WINDOW and holds(row[SCORE]))


def curve(rows: Sequence[Row], key: str) -> Curve:
    """Return the env steps and values of the rows that hold a number under `key`."""
    points = [(row["env_steps"], row[key]) for row in rows if row.get(key) is not None]
    steps, values = np.array(points, np.float64).reshape(-1, 2).T
    return steps, values
