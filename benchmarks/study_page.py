"""What the pages of studies share: tables, the machine, arms as curves with bands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.drawing import Panels
from training.folders.versions import collect_versions
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.rows import SCORE, Values, curve, read_rows

POINTS = 100  # of a curve
FACTS = ("commit", "cpu", "cores", "python", "torch")
WHAT_IQM_IS = (
    "IQM: the mean without the lowest and the highest quarter of the runs (with fewer than four, "
    "of all), with its 95 % bootstrap interval (Agarwal et al. 2021, arXiv 2108.13264); one run "
    "has none."
)


def machine_line() -> str:
    """Return what the figures depend on, in one line."""
    versions = collect_versions()
    return ", ".join(f"{fact} {versions.get(fact, 'unknown')}" for fact in FACTS) + "."


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    dashes = "|---" * len(head) + "|"
    head_line, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return "\n".join([head_line, dashes, *others])


def iqm_text(tasks: Sequence[ArrayLike], digits: int) -> str:
    """Return the IQM of all tasks' scores, with its interval, stratified by task.

    Where every task has one run there is none: drawn anew within its task, each is itself.
    """
    scores = [np.asarray(task) for task in tasks]
    middle = f"{interquartile_mean(np.concatenate(scores)):.{digits}f}"
    if all(len(task) == 1 for task in scores):
        return middle
    low, high = bootstrap_interval(scores)
    return f"{middle} [{low:.{digits}f}, {high:.{digits}f}]"


def env_step_grid(env_steps: int) -> Values:
    """Return the env steps at which curves are compared, [POINTS], the last one `env_steps`."""
    return np.linspace(env_steps / POINTS, env_steps, POINTS)


def score_curves(runs: Sequence[Path], grid: Values) -> list[Values]:
    """Return the training scores of runs, by their folders, at the env steps of a grid.

    Runs in which no episode came to an end are left out.

    Raises:
        ConfigurationError: the figures of one cannot be read.
    """
    found = [curve(read_rows(run), SCORE) for run in runs]
    return [np.interp(grid, *each) for each in found if len(each[0])]


def draw_arms(
    panels: Panels, title: str, grid: Values, arms: Mapping[str, Sequence[Values]]
) -> None:
    """Draw each arm's IQM over its runs, with its interval.

    Args:
        panels: the picture.
        title: of a panel.
        grid: env steps [n].
        arms: for each arm the values [n] of its runs.
    """
    for arm, runs in arms.items():
        if runs:
            values = np.array(runs)
            panels.draw(
                title, arm, (grid, interquartile_mean(values)), bootstrap_interval([values])
            )
