"""How sure a handful of runs makes us: Agarwal et al. 2021, arXiv 2108.13264, section 4.

Scores are the mean of the middle half of the runs, its uncertainty is that of drawing the runs
anew, each task's runs among themselves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]


def interquartile_mean(scores: ArrayLike, axis: int = 0) -> Scores:
    """Return the mean without the lowest and the highest quarter, IQM.

    Of n runs floor(n / 4) are left out at each end, so fewer than four runs keep all of theirs.

    Args:
        scores: [n, ...], the runs along `axis`.
        axis: of the runs.

    Returns:
        the mean of the n - 2 floor(n / 4) runs in the middle, `scores` without `axis`.

    Raises:
        ValueError: there is no run.
    """
    ordered = np.moveaxis(np.sort(np.asarray(scores, np.float64), axis=axis), axis, 0)
    if not len(ordered):
        raise ValueError("the mean of no run is not defined")
    cut = len(ordered) // 4
    return np.asarray(ordered[cut : len(ordered) - cut].mean(axis=0))


def bootstrap_interval(
    tasks: Sequence[ArrayLike],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Scores, Scores]:
    """Return the stratified percentile bootstrap interval of the IQM over all tasks' runs.

    Each resample draws as many runs of a task as there are, with replacement, from that task
    alone. Along a curve the same runs are drawn for all its points.

    Args:
        tasks: for each task the scores of its runs, [R_m, ...], at least one run each.
        confidence: of the interval, in (0, 1).
        resamples: how often the runs are drawn anew.
        seed: of the draws.

    Returns:
        the low and the high end, each of the shape of one run's score.

    Raises:
        ValueError: there is no task, or one without runs.
    """
    scores = [np.asarray(task, np.float64) for task in tasks]
    if not scores or not all(len(task) for task in scores):
        raise ValueError("every task needs a run")
    generator = np.random.default_rng(seed)
    drawn = [task[generator.integers(len(task), size=(resamples, len(task)))] for task in scores]
    means = interquartile_mean(np.concatenate(drawn, axis=1), axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
