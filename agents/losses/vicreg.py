"""VICReg: two views agree, every feature varies, and no two features vary together.

Bardes et al. 2022, arXiv 2105.04906. The paper weighs invariance, variance and covariance 25, 25
and 1, the last two summed over both views (equation 6). All statistics are those of the batch of
all ranks, so every term is a collective; all are computed in float32. n is the number of samples
of all ranks.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from agents.losses.barlow_twins import off_diagonal_energy
from agents.losses.global_sum import global_deviations, global_mean, global_sum

TARGET_STD = 1.0  # γ of the paper
EPSILON = 1e-4  # of the paper; keeps the gradient of the root finite


def variance_loss(embeddings: Float[Tensor, "B D"]) -> Float32[Tensor, ""]:
    """Hinge on the standard deviation of every feature.

        v(Z) = 1/D Σ_j max(0, γ - √(Var(z_j) + ε)),    γ = 1, ε = 1e-4

    arXiv 2105.04906, equations 1 and 2; the variance is the unbiased one, as in its code.

    Args:
        embeddings: [B, D], Z, carries the gradient; B may differ from rank to rank.

    Returns:
        A scalar, equal on all ranks.
    """
    deviations, count = global_deviations(embeddings.float())
    variance = global_sum(deviations.square().sum(dim=0)) / _degrees_of_freedom(count)
    return torch.relu(TARGET_STD - torch.sqrt(variance + EPSILON)).mean()


def covariance_loss(embeddings: Float[Tensor, "B D"]) -> Float32[Tensor, ""]:
    """Squared covariances between different features.

        c(Z) = 1/D Σ_i Σ_{j≠i} C_ij²,    C = 1/(n - 1) Σ_b (z_b - z̄) (z_b - z̄)ᵀ

    arXiv 2105.04906, equations 3 and 4.

    Args:
        embeddings: [B, D], Z, carries the gradient; B may differ from rank to rank.

    Returns:
        A scalar, equal on all ranks.
    """
    deviations, count = global_deviations(embeddings.float())
    with torch.autocast(embeddings.device.type, enabled=False):
        covariance = global_sum(deviations.T @ deviations) / _degrees_of_freedom(count)
    return off_diagonal_energy(covariance) / embeddings.shape[1]


def invariance_loss(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]
) -> Float32[Tensor, ""]:
    """Mean squared distance of the two views.

        s(Z, Z') = 1/n Σ_b 1/D ‖z_b - z'_b‖²

    arXiv 2105.04906, equation 5. Differs from it by the factor 1/D: as in the paper's code, to
    which its weights belong.

    Args:
        first: [B, D], Z, carries the gradient; B may differ from rank to rank.
        second: [B, D], Z' of the same samples, carries the gradient.

    Returns:
        A scalar, equal on all ranks.
    """
    distances = (first.float() - second.float()).square().mean(dim=1)
    mean, _ = global_mean(distances)
    return mean


def _degrees_of_freedom(count: Float32[Tensor, ""]) -> Float32[Tensor, ""]:
    """Return n - 1, or 1 for a single sample, whose variance is then 0."""
    return (count - 1.0).clamp(min=1.0)
