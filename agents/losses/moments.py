"""Mean and variance of data that arrive in parts: batches, rollouts, ranks.

Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample
variances", STAN-CS-79-773. All sums are float64, and the spread is kept as the sum of squared
deviations, so neither a large offset nor a long run spoils it.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64, Num
from torch import Tensor

# Elements that are float64 at any one time (8 MB): about what a core's cache holds.
_CHUNK_ELEMENTS = 2**20


class Moments(NamedTuple):
    """Count, mean and sum of squared deviations of some samples; the variance is m2 / count.

    Attributes:
        count: number of samples, a scalar.
        mean: [*shape], zeros where the count is 0.
        m2: [*shape], Σ (x - mean)².
    """

    count: Float64[Tensor, ""]  # type: ignore[assignment]  # hides tuple.count, which has no use here
    mean: Float64[Tensor, "*shape"]
    m2: Float64[Tensor, "*shape"]


def moments_of(batch: Num[Tensor, "B *shape"]) -> Moments:
    """Return the moments of the samples along axis 0.

    The batch is widened to float64 in chunks, so the cost in memory is a few MB and not eight
    times that of uint8 frames.

    Args:
        batch: [B, *shape] of any number type; B may be 0.

    Returns:
        Moments of shape [*shape], on the batch's device.
    """
    rows = max(1, _CHUNK_ELEMENTS // max(1, math.prod(batch.shape[1:])))
    return merge_all([_moments_of_chunk(chunk) for chunk in torch.split(batch, rows)])


def merge(a: Moments, b: Moments) -> Moments:
    """Return the moments of two disjoint sets of samples together.

        δ = mean_b - mean_a,    n = n_a + n_b
        mean = mean_a + δ n_b / n
        M2 = M2_a + M2_b + δ² n_a n_b / n

    Chan et al. 1979. Either set may be empty.

    Raises:
        ValueError: the two are of different shapes (they would broadcast silently).
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"moments of shape {tuple(a.mean.shape)} and of shape {tuple(b.mean.shape)} "
            "do not belong together"
        )
    count = a.count + b.count
    share = b.count / torch.where(count > 0, count, 1.0)
    delta = b.mean - a.mean
    mean = a.mean + delta * share
    m2 = a.m2 + b.m2 + delta.square() * (a.count * share)
    return Moments(count, mean, m2)


def merge_all(parts: Sequence[Moments]) -> Moments:
    """Return the moments of all parts together, merged in the order given.

    Ranks that pass equal parts in equal order get results that are equal to the last bit.

    Raises:
        ValueError: no parts, or parts of different shapes.
    """
    if not parts:
        raise ValueError("no moments to merge: the shape of the result is unknown")
    return functools.reduce(merge, parts)


def _moments_of_chunk(chunk: Tensor) -> Moments:
    """Return the moments of a chunk [B, *shape] by two passes: the mean, then the deviations."""
    values = chunk.to(torch.float64, copy=True)
    count = values.new_full((), values.shape[0])
    mean = values.sum(dim=0) / max(1, values.shape[0])
    m2 = values.sub_(mean).square_().sum(dim=0)
    return Moments(count, mean, m2)
