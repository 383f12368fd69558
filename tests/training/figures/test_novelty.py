"""Whether a bonus says what is new: ranks, and the warning."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.figures.novelty import (
    FEWEST_CELLS,
    NOVELTY,
    ROWS_IN_TURN,
    NoveltyWatch,
    novelty_correlation,
    rank_correlation,
)


def slow_ranks(values: NDArray[np.float64]) -> list[float]:
    """A value's rank: how many are smaller, and half of the others that are equal."""
    return [sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]


def test_the_rank_correlation_is_that_of_pearson_on_ranks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 6, (2, 15)).astype(np.float64)
        wanted = np.corrcoef(slow_ranks(first), slow_ranks(second))[0, 1]
        assert rank_correlation(first, second) == pytest.approx(wanted)


def test_it_knows_order_alone() -> None:
    values = np.random.default_rng(1).normal(size=30)
    assert rank_correlation(values, np.exp(5 * values)) == pytest.approx(1.0)
    assert rank_correlation(values, -(values**3)) == pytest.approx(-1.0)


def test_a_constant_has_none() -> None:
    assert rank_correlation(np.ones(12), np.arange(12.0)) is None


def test_a_bonus_of_one_over_root_n_is_perfect_and_its_opposite_is_upside_down() -> None:
    visits = np.arange(1.0, 21.0) ** 2
    counts = np.arange(20.0)[::-1] % 5  # some cells are not visited in the interval
    assert novelty_correlation(visits, counts / np.sqrt(visits), counts) == pytest.approx(1.0)
    assert novelty_correlation(visits, counts * visits, counts) == pytest.approx(-1.0)


def test_few_cells_have_no_figure() -> None:
    visits = np.arange(1.0, 21.0)
    counts = (np.arange(20) < FEWEST_CELLS).astype(np.float64)
    assert novelty_correlation(visits, visits, counts) is not None
    counts[0] = 0
    assert novelty_correlation(visits, visits, counts) is None


def test_it_is_told_when_it_has_lasted_and_again_after_a_recovery() -> None:
    watch = NoveltyWatch()
    low, high = {NOVELTY: -0.6}, {NOVELTY: 0.2}
    rows = [low] * (ROWS_IN_TURN - 1) + [high] + [low] * (ROWS_IN_TURN + 3) + [high]
    rows += [low] * ROWS_IN_TURN
    told = [watch.look(row) is not None for row in rows]
    assert [index for index, is_told in enumerate(told) if is_told] == [
        2 * ROWS_IN_TURN - 1,
        len(rows) - 1,
    ]


def test_a_row_without_the_figure_neither_warns_nor_ends_the_count() -> None:
    watch = NoveltyWatch()
    for _ in range(ROWS_IN_TURN - 1):
        assert watch.look({NOVELTY: -0.6}) is None
        assert watch.look({}) is None
    text = watch.look({NOVELTY: -0.72})
    assert text is not None
    assert "-0.72" in text
    assert "PredictorLearningRate" in text
