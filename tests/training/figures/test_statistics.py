"""The summary of scores, against slow references and printed tables."""

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.figures.statistics import iqm, student_t_quantile, summarize

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


@given(SCORES)
def test_the_summary_equals_the_standard_librarys(scores: list[float]) -> None:
    summary = summarize(scores)
    assert summary["n"] == len(scores)
    assert summary["mean"] == pytest.approx(statistics.fmean(scores), abs=1e-6)
    assert summary["std"] == pytest.approx(statistics.stdev(scores), abs=1e-6)
    assert (summary["min"], summary["max"]) == (min(scores), max(scores))


def test_the_interval_is_students() -> None:
    summary = summarize([1.0, 2.0, 3.0, 4.0, 5.0])
    # mean 3, standard error sqrt(2.5 / 5), t with 4 degrees of freedom 2.776
    assert summary["interval_low"] == pytest.approx(3 - 1.963, abs=1e-3)
    assert summary["interval_high"] == pytest.approx(3 + 1.963, abs=1e-3)


# scipy.stats.t.ppf(0.975, degrees)
@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (4, 2.7764), (10, 2.2281), (11, 2.2010), (19, 2.0930), (30, 2.0423),
     (99, 1.9842), (999, 1.9623)],
)  # fmt: skip
def test_the_quantile_is_that_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_t_quantile(degrees) == pytest.approx(quantile, abs=5e-4)


def test_the_quantile_falls_to_the_normal_one() -> None:
    quantiles = [student_t_quantile(degrees) for degrees in range(1, 2000)]
    assert all(later < earlier for earlier, later in itertools.pairwise(quantiles))
    assert quantiles[-1] == pytest.approx(1.96, abs=2e-3)


def test_the_interval_holds_the_true_mean_in_95_of_100_samples() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for sample in rng.normal(7.0, 3.0, size=(4000, 5)):
        summary = summarize(sample.tolist())
        low, high = summary["interval_low"], summary["interval_high"]
        assert low is not None
        assert high is not None
        held += low < 7.0 < high
    assert held / 4000 == pytest.approx(0.95, abs=0.015)


def test_the_interquartile_mean_leaves_out_the_outer_quarters() -> None:
    assert iqm([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -100.0]) == 3.5
    assert iqm([1.0, 2.0, 6.0]) == 3.0
    assert iqm([5.0]) == 5.0


def test_one_score_has_no_spread() -> None:
    summary = summarize([400.0])
    assert summary["mean"] == summary["iqm"] == 400.0
    assert summary["std"] is None
    assert summary["interval_low"] is None


@pytest.mark.parametrize("scores", [[], [1.0, float("nan")], [float("inf")]])
def test_nothing_and_no_numbers_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no value|finite"):
        summarize(scores)
