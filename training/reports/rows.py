"""The figures that runs leave: where they lie, rows, curves, and when something first held."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.options import nearest

RUNS = Path("logs/runs")
METRICS = "metrics.jsonl"
CHECKPOINT = ".ckpt"
SCORE, BEST_SCORE, EPISODES = (
    "charts/episodic_return",  # the mean of the last 100 training episodes
    "charts/episodic_return_max",
    "charts/episodes",
)
FULL_WINDOW = 100

Row = dict[str, Any]
Values = NDArray[np.float64]
Curve = tuple[Values, Values]  # env steps [n], values [n]


def find_run(name: str, files: Sequence[str] = (METRICS,)) -> Path:
    """Return the folder of a run: one of logs/runs by its name, or any other by its path.

    Args:
        name: of the run, or its folder's path.
        files: of which a run's folder holds at least one.

    Raises:
        ConfigurationError: there is none of them; names the nearest run that has one.
    """
    for folder in (RUNS / name, Path(name)):
        if any((folder / file).is_file() for file in files):
            return folder
    if name.endswith(CHECKPOINT):
        raise ConfigurationError(f"{name} is a checkpoint: give the name of its run instead")
    there = sorted({path.parent.name for file in files for path in RUNS.glob(f"*/{file}")})
    near = nearest(name, there)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(there) or 'none'}"
    raise ConfigurationError(f"run {name!r}: no {' or '.join(files)} in {RUNS / name}; {hint}")


def read_rows(folder: Path) -> list[Row]:
    """Return all rows of a run's figures; the last may be torn while the run is under way.

    Raises:
        ConfigurationError: there are none, or a row cannot be read.
    """
    path = folder / METRICS
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
