"""The interquartile mean and its stratified bootstrap interval."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.reports.intervals import bootstrap_interval, interquartile_mean


def slow_mean_of_the_middle(scores: list[float]) -> float:
    """Agarwal et al. 2021, section 4.3: the bottom and the top quarter of runs are discarded."""
    kept = sorted(scores)
    for _ in range(len(scores) // 4):
        kept.remove(min(kept))
        kept.remove(max(kept))
    return sum(kept) / len(kept)


def slow_interval(
    tasks: list[NDArray[np.float64]], resamples: int, seed: int, confidence: float
) -> tuple[float, float]:
    """Runs drawn with replacement, each task's among themselves; percentiles of the means."""
    generator = np.random.default_rng(seed)
    draws = [generator.integers(len(task), size=(resamples, len(task))) for task in tasks]
    means = sorted(
        slow_mean_of_the_middle(
            [
                float(task[run])
                for task, drawn in zip(tasks, draws, strict=True)
                for run in drawn[number]
            ]
        )
        for number in range(resamples)
    )

    def percentile(share: float) -> float:
        place = share * (len(means) - 1)
        below = int(place)
        above = min(below + 1, len(means) - 1)
        return means[below] + (place - below) * (means[above] - means[below])

    return percentile((1 - confidence) / 2), percentile((1 + confidence) / 2)


@pytest.mark.parametrize("num_runs", [1, 2, 3, 4, 5, 7, 8, 12])
def test_the_interquartile_mean_equals_the_slow_one(num_runs: int) -> None:
    scores = np.random.default_rng(num_runs).normal(size=(num_runs, 3))
    expected = [slow_mean_of_the_middle(list(column)) for column in scores.T]
    assert np.allclose(interquartile_mean(scores), expected)
    assert np.allclose(interquartile_mean(scores.T, axis=1), expected)


def test_an_outlier_among_four_runs_does_not_move_the_interquartile_mean() -> None:
    assert interquartile_mean([1.0, 2.0, 3.0, 1e9]) == 2.5
    assert interquartile_mean([1.0, 2.0, 3.0]) == 2.0


def test_the_interval_equals_the_slow_one() -> None:
    generator = np.random.default_rng(0)
    tasks = [generator.normal(size=5), generator.normal(3.0, size=4)]
    low, high = bootstrap_interval(tasks, resamples=200, seed=7, confidence=0.9)
    assert (low, high) == pytest.approx(slow_interval(tasks, 200, seed=7, confidence=0.9))


def test_runs_are_never_drawn_across_tasks() -> None:
    low, high = bootstrap_interval([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert low == high == 0.5
    low, high = bootstrap_interval([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    assert low < 0.5 < high


def test_an_interval_moves_and_stretches_with_the_scores_and_holds_their_mean() -> None:
    scores = np.random.default_rng(3).normal(size=10)
    low, high = bootstrap_interval([scores])
    moved = bootstrap_interval([2 * scores + 5])
    assert moved == pytest.approx((2 * low + 5, 2 * high + 5))
    assert low < interquartile_mean(scores) < high


def test_along_a_curve_the_same_runs_are_drawn_at_every_point() -> None:
    scores = np.random.default_rng(3).normal(size=6)
    curves = np.stack([scores, scores, -scores], axis=1)
    low, high = bootstrap_interval([curves])
    assert low.shape == high.shape == (3,)
    assert low[0] == low[1]
    assert (low[2], high[2]) == pytest.approx((-high[0], -low[0]))


def test_the_interval_of_normal_scores_covers_their_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    samples = generator.normal(size=(100, 20))
    intervals = [bootstrap_interval([sample], resamples=300) for sample in samples]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert 0.85 <= covered <= 1.0


@pytest.mark.parametrize("tasks", [[], [[]], [[1.0], []]])
def test_no_run_is_an_error(tasks: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="run"):
        bootstrap_interval(tasks)
    with pytest.raises(ValueError, match="no run"):
        interquartile_mean([])
