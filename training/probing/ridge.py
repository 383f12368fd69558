"""Linear probes: how much of each true number a linear map of the features tells.

Alain and Bengio 2016, arXiv 1610.01644; ridge regression after Hoerl and Kennard 1970. Float64.
Axes: N samples, D features, S dimensions of the state.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STRENGTHS = tuple(10.0**power for power in range(-7, 2))  # lambda, a share of the samples
SMALLEST_DEVIATION = 1e-6  # relative to the size of the values: what varies less is constant


@dataclass(frozen=True)
class Scale:
    """Mean and deviation [D] that columns are brought to 0 and 1 by; constant ones to 0."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, values: Floats) -> "Scale":
        """Take them from values [N, D]."""
        return cls(values.mean(axis=0), np.where(varies(values), values.std(axis=0), np.inf))

    def apply(self, values: Floats) -> Floats:
        """Return values [N, D], standardised."""
        return np.asarray((values - self.mean) / self.deviation)


@dataclass(frozen=True)
class LinearProbe:
    """A fitted map.

    Attributes:
        scale: of the features.
        weights: [D, S], of standardised features.
        offset: [S].
        strengths: [S], the lambda that was chosen for each dimension.
    """

    scale: Scale
    weights: Floats
    offset: Floats
    strengths: Floats

    def predict(self, features: Floats) -> Floats:
        """Return the states [N, S] that features [N, D] tell of."""
        return np.asarray(self.scale.apply(features) @ self.weights + self.offset)


def varies(values: Floats) -> NDArray[np.bool_]:
    """Return which columns of values [N, D] are not constant, [D]."""
    size = np.maximum(np.abs(values).max(axis=0), 1e-12)
    return np.asarray(values.std(axis=0) > SMALLEST_DEVIATION * size)


def fit_probe(features: Floats, states: Floats, strengths: Floats) -> LinearProbe:
    """Fit by ridge regression on standardised features.

        w = argmin 1/N ‖y - Z w‖² + λ ‖w‖² = V diag(s / (s² + N λ)) Uᵀ y,    Z = U diag(s) Vᵀ

    Args:
        features: [N, D].
        states: [N, S].
        strengths: λ of each dimension, [S], above 0.
    """
    scale = Scale.of(features)
    offset = states.mean(axis=0)
    left, singular, right = _decomposed(scale.apply(features))
    shrunk = _shrunk(singular, strengths, len(features))
    weights = right.T @ (shrunk * (left.T @ (states - offset)))
    return LinearProbe(scale, weights, offset, strengths)


def choose_strengths(
    features: Floats, states: Floats, held_features: Floats, held_states: Floats
) -> Floats:
    """Return for each dimension the λ of STRENGTHS with the least error on samples held out, [S].

    Args:
        features, states: [N, D] and [N, S], to fit on.
        held_features, held_states: of other episodes.
    """
    scale = Scale.of(features)
    offset = states.mean(axis=0)
    left, singular, right = _decomposed(scale.apply(features))
    turned, seen = left.T @ (states - offset), scale.apply(held_features) @ right.T
    errors = []
    for strength in STRENGTHS:
        shrunk = _shrunk(singular, np.array([strength]), len(features))
        found = seen @ (shrunk * turned) + offset
        errors.append(np.square(found - held_states).mean(axis=0))
    best: Floats = np.asarray(STRENGTHS)[np.argmin(errors, axis=0)]
    return best


def r_squared(predicted: Floats, states: Floats) -> list[float | None]:
    """Return the share of each dimension's variance that is explained; None where there is none.

        R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)²

    1 is exact, 0 no better than the mean, below 0 worse than it.

    Args:
        predicted, states: [N, S].
    """
    spread = np.square(states - states.mean(axis=0)).sum(axis=0)
    error = np.square(states - predicted).sum(axis=0)
    return [
        1.0 - float(e) / float(s) if moves else None
        for e, s, moves in zip(error, spread, varies(states), strict=True)
    ]


def _decomposed(values: Floats) -> tuple[Floats, Floats, Floats]:
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    return left, singular, right


def _shrunk(singular: Floats, strengths: Floats, count: int) -> Floats:
    """Return s / (s² + N λ), [K, S]."""
    column = singular[:, np.newaxis]
    return np.asarray(column / (np.square(column) + count * strengths))
