"""What a handful of scores says: mean, spread, and how sure the mean is."""

import math
from collections.abc import Sequence

import numpy as np

# Student's t, 97.5 % quantile for 1 to 10 degrees of freedom (Abramowitz & Stegun, table 26.10).
_T_TABLE = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_Z = 1.959964  # the same quantile of the normal distribution


def summarize(values: Sequence[float]) -> dict[str, float | None]:
    """Return the summary of `values` (at least one, all finite).

    Returns:
        n, mean, std (with n - 1), interval_low and interval_high (95 % interval of the mean by
        Student's t), min, max, and iqm. std and the interval are None for a single value.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    scores = _checked(values)
    n, mean = len(scores), float(scores.mean())
    std = float(scores.std(ddof=1)) if n > 1 else None
    margin = None if std is None else student_t_quantile(n - 1) * std / math.sqrt(n)
    return {
        "n": n,
        "mean": mean,
        "std": std,
        "interval_low": None if margin is None else mean - margin,
        "interval_high": None if margin is None else mean + margin,
        "min": float(scores.min()),
        "max": float(scores.max()),
        "iqm": iqm(values),
    }


def iqm(values: Sequence[float]) -> float:
    """Return the interquartile mean: the mean without the lowest and the highest quarter.

    Agarwal et al. 2021 (arXiv 2108.13264); a quarter is rounded down to whole values.
    """
    scores = np.sort(_checked(values))
    cut = len(scores) // 4
    return float(scores[cut : len(scores) - cut].mean())


def student_t_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t with `degrees` >= 1 degrees of freedom.

    Above the table: z + Σ g_k(z) / ν^k for k = 1 to 3 (Abramowitz & Stegun, 26.7.5).
    """
    if degrees <= len(_T_TABLE):
        return _T_TABLE[degrees - 1]
    z = _Z
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / degrees + g2 / degrees**2 + g3 / degrees**3


def _checked(values: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    scores = np.asarray(values, dtype=np.float64).reshape(-1)
    if scores.size == 0:
        raise ValueError("there is no value to summarize")
    if not np.isfinite(scores).all():
        raise ValueError(f"values must be finite: {scores[~np.isfinite(scores)][0]} is not")
    return scores
