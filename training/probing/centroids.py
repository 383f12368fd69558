"""Where the moving object is in a picture, and how far a drawing puts it from there."""

from typing import NamedTuple

import torch
from torch import Tensor


class CentroidErrors(NamedTuple):
    """How far drawings put the object.

    Attributes:
        distances: [K], in pixels, of the pictures in which both show one.
        num_missed: pictures with an object whose drawing has none.
    """

    distances: Tensor
    num_missed: int


def centroids(pictures: Tensor, background: Tensor, threshold: float) -> Tensor:
    """Return the centre [B, 2], row and column in pixels, of what is no background.

        c = Σ_p w_p p / Σ_p w_p,    w_p = max_c |x_p - b_p| where that is above τ, else 0

    Args:
        pictures: [B, C, H, W], 0 to 1.
        background: [C, H, W].
        threshold: τ.

    Returns:
        NaN for a picture that shows the background alone.
    """
    apart = (pictures.double() - background.double()).abs().amax(dim=1)
    weights = torch.where(apart > threshold, apart, 0.0)
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in weights.shape[1:])
    total = weights.sum(dim=(1, 2))
    row = (weights.sum(dim=2) * rows).sum(dim=1) / total
    column = (weights.sum(dim=1) * columns).sum(dim=1) / total
    return torch.stack([row, column], dim=1)


def centroid_errors(original: Tensor, made: Tensor) -> CentroidErrors:
    """Compare the centres [B, 2] of pictures and of their drawings."""
    there, drawn = original.isfinite().all(dim=1), made.isfinite().all(dim=1)
    both = there & drawn
    distances = (original[both] - made[both]).norm(dim=1)
    return CentroidErrors(distances, int((there & ~drawn).sum()))
