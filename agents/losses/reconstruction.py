"""How far a picture that was made lies from the one it should be.

Axes: B samples, C H W a picture, whose values are 0 to 1. All is computed in float32.
"""

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor


def squared_error(
    made: Float[Tensor, "B C H W"], wanted: Float[Tensor, "B C H W"]
) -> Float32[Tensor, " B"]:
    """Sum of squares over a picture, Σ (x̂ - x)²: the negative log-likelihood of a Gaussian.

    Ha and Schmidhuber 2018, arXiv 1803.10122, appendix A.1. Up to a constant and a factor 1/2 it is
    that of a deviation of 1, so that the divergence beside it weighs half of what it does in arXiv
    1312.6114, as in the paper's code.

    Args:
        made: [B, C, H, W], x̂, carries the gradient.
        wanted: [B, C, H, W], x.

    Returns:
        [B], a sum over C H W.
    """
    return (made.float() - wanted.float()).square().flatten(1).sum(dim=1)


def object_mask(
    pictures: Float[Tensor, "B C H W"], background: Float[Tensor, "C H W"], threshold: float
) -> Bool[Tensor, "B H W"]:
    """Where a picture is not its background: max_c |x - b| > τ.

    Args:
        pictures: [B, C, H, W], x.
        background: [C, H, W], b, for instance the median of many pictures.
        threshold: τ, as a share of the full range.
    """
    return (pictures.float() - background).abs().amax(dim=1) > threshold


def object_error(
    made: Float[Tensor, "B C H W"],
    wanted: Float[Tensor, "B C H W"],
    mask: Bool[Tensor, "B H W"],
    share: float,
) -> Float32[Tensor, " B"]:
    """Mean squared error in which the moving object has a share of its own.

        e = (1 - β) · mean over all pixels + β · mean over the object's pixels

    A mean over all pixels alone lets a network leave out what covers one pixel in a hundred. Where
    no object is seen, the second mean is 0.

    Args:
        made: [B, C, H, W], carries the gradient.
        wanted: [B, C, H, W].
        mask: [B, H, W], the object's pixels.
        share: β in [0, 1]; 0 is the plain mean squared error.

    Returns:
        [B].
    """
    errors = (made.float() - wanted.float()).square().mean(dim=1)  # [B, H, W]
    return (1.0 - share) * errors.mean(dim=(1, 2)) + share * _masked_means(errors, mask)


@torch.no_grad()
def ratio_to_mean_picture(
    made: Float[Tensor, "B C H W"], wanted: Float[Tensor, "B C H W"], mask: Bool[Tensor, "B H W"]
) -> Float32[Tensor, ""]:
    """Error within a mask as a multiple of what the mean picture has there.

        Σ (x̂ - x)² / Σ (x̄ - x)²

    Args:
        made: [B, C, H, W], x̂.
        wanted: [B, C, H, W], x; x̄ is their mean over B.
        mask: [B, H, W], which pixels count.

    Returns:
        A scalar: 0 is exact; 1 is no better than one picture for all, which is what a collapsed
        decoder draws. 0 where the pictures do not differ.
    """
    wanted, counted = wanted.float(), mask.unsqueeze(1)
    error = ((made.float() - wanted).square() * counted).sum()
    trivial = ((wanted.mean(dim=0) - wanted).square() * counted).sum()
    return torch.where(trivial > 0, error / torch.where(trivial > 0, trivial, 1.0), 0.0)


def _masked_means(
    errors: Float32[Tensor, "B H W"], mask: Bool[Tensor, "B H W"]
) -> Float32[Tensor, " B"]:
    counted = mask.float().flatten(1)
    return (errors.flatten(1) * counted).sum(dim=1) / counted.sum(dim=1).clamp_min(1.0)
