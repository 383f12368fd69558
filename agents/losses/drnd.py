"""Distributional random network distillation: the bonus of a predictor of several random targets.

Yang et al. 2024, arXiv 2401.09750. The predictor f regresses, for every sample, one of M frozen
targets drawn at random, and so nears their mean. At every input x and feature d the M targets are
a distribution with the moments

    μ = 1/M Σ_m f_m,    B₂ = 1/M Σ_m f_m²,    B₂ - μ² their variance.

The loss is that of RND with the drawn target: `prediction_error` of agents/losses/rnd.py.
"""

from jaxtyping import Float
from torch import Tensor

SMALLEST_RATIO, LARGEST_RATIO = 1e-3, 1.0  # limits of the paper's code
_VARIANCE_FLOOR = 1e-12  # a feature in which all targets agree has a ratio all the same


def distance_to_mean(
    predicted: Float[Tensor, "B D"], mean: Float[Tensor, "B D"]
) -> Float[Tensor, " B"]:
    """Squared distance of the predictor to the targets' mean, the first bonus.

        b₁ = ‖f - μ‖² = Σ_d (f_d - μ_d)²

    arXiv 2401.09750. A sum over features, unlike RND's mean: the other bonus is added to it.

    Args:
        predicted: [B, D], f(x).
        mean: [B, D], μ(x).
    """
    return (predicted - mean).square().sum(dim=1)


def inverse_root_count(
    predicted: Float[Tensor, "B D"], mean: Float[Tensor, "B D"], variance: Float[Tensor, "B D"]
) -> Float[Tensor, " B"]:
    """Estimate of 1/√n for an input that was trained on n times, the second bonus.

        b₂ = 1/D Σ_d √ clip(|f_d² - μ_d²| / (B₂ - μ²)_d, 10⁻³, 1)

    arXiv 2401.09750: the best fit to n independent draws is their mean, whose square
    exceeds μ² by (B₂ - μ²) / n on average. The absolute value (f² may lie below μ²), the limits and
    the mean over features are those of the paper's code; the text has none of them.

    Args:
        predicted: [B, D], f(x).
        mean: [B, D], μ(x).
        variance: [B, D], B₂(x) - μ(x)²; where it is 0, so that the text's ratio has no value, any
            difference counts as the largest.
    """
    excess = ((predicted - mean) * (predicted + mean)).abs()
    ratio = excess / variance.clamp_min(_VARIANCE_FLOOR)
    return ratio.clamp(SMALLEST_RATIO, LARGEST_RATIO).sqrt().mean(dim=1)


def distributional_bonus(
    predicted: Float[Tensor, "B D"], targets: Float[Tensor, "M B D"], alpha: float
) -> Float[Tensor, " B"]:
    """Weighted sum of both bonuses.

        b = α b₁ + (1 - α) b₂

    arXiv 2401.09750.

    Args:
        predicted: [B, D], f(x).
        targets: [M, B, D], f_m(x) of all targets.
        alpha: α; the first bonus leads while an input is new, the second once it is known.

    Returns:
        [B].
    """
    mean = targets.mean(dim=0)
    # The variance as a mean of squares: the difference B₂ - μ² may be rounded below 0.
    variance = (targets - mean).square().mean(dim=0)
    first = distance_to_mean(predicted, mean)
    return alpha * first + (1.0 - alpha) * inverse_root_count(predicted, mean, variance)
