"""Whether a bonus still says what is new: its rank correlation with how rare a state is."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

NOVELTY = "intrinsic/novelty_correlation"
FEWEST_CELLS = 10  # with fewer the figure is chance
CLEARLY_NEGATIVE = -0.3
ROWS_IN_TURN = 5  # that must be so before it is said


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Spearman's ρ of values [C] each, None where one is constant; ties share a rank."""
    ranks = [_ranks(values) for values in (first, second)]
    centred = [values - values.mean() for values in ranks]
    scale = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else None


def novelty_correlation(
    visits: NDArray[np.float64], sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> float | None:
    """Return the rank correlation of a cell's mean bonus with 1/sqrt(its visits).

    1/sqrt(visits) is what count-based exploration pays (Strehl and Littman 2008, "An analysis of
    model-based interval estimation"). Ranks know no scale, so -visits ranks the same.

    Args:
        visits: [C], visits of each cell since the start.
        sums: [C], the bonuses of the visits that are looked at, summed.
        counts: [C], how many of these there are.

    Returns:
        ρ in [-1, 1]; None where fewer than FEWEST_CELLS cells were visited or all are alike.
    """
    seen = counts > 0
    if int(seen.sum()) < FEWEST_CELLS:
        return None
    return rank_correlation(sums[seen] / counts[seen], -visits[seen])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return np.asarray((last - (sizes - 1) / 2.0)[place], np.float64)


class NoveltyWatch:
    """Looks at each log row; warns once that the bonus is upside down, again after a recovery."""

    def __init__(self) -> None:
        self._in_turn = 0

    def look(self, values: Mapping[str, float]) -> str | None:
        """Return a warning where it has been clearly negative for ROWS_IN_TURN rows."""
        if NOVELTY not in values:
            return None
        self._in_turn = self._in_turn + 1 if values[NOVELTY] < CLEARLY_NEGATIVE else 0
        if self._in_turn != ROWS_IN_TURN:
            return None
        return (
            "the bonus no longer says what is new: for "
            f"{ROWS_IN_TURN} rows it was the larger the more often a state had been visited (rank "
            f"correlation with 1/sqrt(visits) {values[NOVELTY]:.2f}); what the bonus learns lags "
            "behind: raise PredictorLearningRate, shorten WorldModelHorizon, or lower EmaTau where "
            "it looks at learnt features"
        )
