"""What each of the study's runs came to: its steps to the goal, its score, its rooms, its speed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.plan import Job, Plan
from benchmarks.study_page import env_step_grid
from configs.errors import ConfigurationError
from training.reports.rows import (
    EPISODES,
    FULL_WINDOW,
    SCORE,
    Row,
    curve,
    first_score_above,
    mean_reached,
    read_rows,
)

THRESHOLD = 0.3
STANDS, FALLEN = 0.7, 0.5  # a run that was above the one and ends below the other has fallen
ROOMS, ROOMS_IN_ALL, STEPS_PER_SECOND = "charts/rooms", "atari/rooms_total", "charts/SPS"
GREEDY_DROP = "losses/greedy_drop"
NEVER = float("inf")

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What one run came to.

    Attributes:
        job: the run.
        first_goal: env steps until the first episode that reached the goal; NEVER if none did.
        reached: env steps until the mean of 100 episodes was THRESHOLD; NEVER if it never was.
        stood: env steps until it was STANDS; NEVER if it never was.
        highest: the highest mean of 100 episodes; 0 where there were fewer.
        score: mean of the last 100 episodes at the end.
        lost: the most that an update of the run's second half took from the probability of a
            state's likeliest action.
        rooms: entered per episode, the mean over the whole training.
        rooms_in_all: all rooms that were ever entered.
        microseconds: per env step, learning included.
        curves: by key, values on the study's grid.
    """

    job: Job
    first_goal: float
    reached: float
    stood: float
    highest: float
    score: float
    lost: float
    rooms: float
    rooms_in_all: int
    microseconds: float
    curves: dict[str, Grid]

    @property
    def has_fallen(self) -> bool:
        """Whether it stood, and ends below FALLEN."""
        return self.stood != NEVER and self.score < FALLEN


def read_result(plan: Plan, job: Job) -> Result:
    """Read what a finished run came to within the study's env steps.

    Raises:
        ConfigurationError: its figures cannot be read, or no episode came to an end.
    """
    rows = read_rows(plan.run_folder(job))
    # A run ends with the update in which it has taken its env steps, or was longer before.
    last = next((i for i, row in enumerate(rows) if row["env_steps"] >= plan.env_steps), len(rows))
    rows = rows[: last + 1]
    grid = env_step_grid(plan.env_steps)
    curves = {}
    for key in (SCORE, ROOMS):
        steps, values = curve(rows, key)
        if not len(steps):
            raise ConfigurationError(f"run {job.name} has no {key}: no episode came to an end")
        curves[key] = np.interp(grid, steps, values)
    means = [row[SCORE] for row in rows if row.get(EPISODES, 0) >= FULL_WINDOW]
    late = [row for row in rows if row["env_steps"] > plan.env_steps / 2]
    return Result(
        job=job,
        first_goal=_or_never(first_score_above(rows, 0.0)),
        reached=_or_never(mean_reached(rows, lambda mean: mean >= THRESHOLD)),
        stood=_or_never(mean_reached(rows, lambda mean: mean >= STANDS)),
        highest=max(means, default=0.0),
        score=float(curves[SCORE][-1]),
        lost=float(curve(late, GREEDY_DROP)[1].max(initial=0.0)),
        rooms=float(curves[ROOMS].mean()),
        rooms_in_all=int(curve(rows, ROOMS_IN_ALL)[1][-1]),
        microseconds=_microseconds(rows),
        curves=curves,
    )


def by_layout(results: Sequence[Result], figures: Sequence[float] | Sequence[Grid]) -> list[Grid]:
    """Return each layout's figures, [R_m, ...] each; `figures` holds one for each of `results`."""
    pairs = list(zip(results, figures, strict=True))
    layouts = sorted({result.job.layout for result in results})
    return [
        np.array([figure for result, figure in pairs if result.job.layout == layout])
        for layout in layouts
    ]


def _or_never(env_steps: int | None) -> float:
    return NEVER if env_steps is None else env_steps


def _microseconds(rows: Sequence[Row]) -> float:
    """Return the mean time of an env step, from the speed of each stretch between two rows."""
    steps, speeds = curve(rows, STEPS_PER_SECOND)
    stretches = np.diff(steps, prepend=0.0)
    return float(1e6 * (stretches / speeds).sum() / stretches.sum())
