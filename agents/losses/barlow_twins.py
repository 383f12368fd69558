"""Barlow Twins: features that agree between two views and are not redundant among each other.

Zbontar et al. 2021, arXiv 2103.03230.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from agents.losses.global_sum import global_standardize, global_sum

EPSILON = 1e-5  # of the standardisation; the paper's code uses batch normalisation's default


def cross_correlation(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]
) -> Float32[Tensor, "D D"]:
    """Cross-correlation of two views' features over the batch of all ranks.

        C_ij = 1/N Σ_b ẑ_bi ẑ'_bj

    arXiv 2103.03230, equation 2, with ẑ standardised per feature. Differs from the paper's code,
    whose sum over ranks is hidden from autograd: here every rank gets the gradient of the global
    loss (see `global_sum`). A collective of all ranks; computed in float32.

    Args:
        first: [B, D], z, carries the gradient; B may differ from rank to rank.
        second: [B, D], z' of the same samples, carries the gradient.

    Returns:
        [D, D], equal on all ranks; -1 to 1, near 0 for a feature that does not vary.
    """
    both = torch.cat([first.float(), second.float()], dim=1)
    standardized, count = global_standardize(both, EPSILON)
    one, other = standardized.chunk(2, dim=1)
    with torch.autocast(first.device.type, enabled=False):
        return global_sum(one.T @ other) / count


def redundancy_loss(correlation: Float32[Tensor, "D D"], lam: float) -> Float32[Tensor, ""]:
    """Distance of the cross-correlation from the identity.

        L = Σ_i (1 - C_ii)² + λ Σ_i Σ_{j≠i} C_ij²

    arXiv 2103.03230, equation 1: sums, not means, so the two terms grow with D and D².

    Args:
        correlation: [D, D], C.
        lam: λ, 0.0051 in the paper's code.

    Returns:
        A scalar.
    """
    invariance = (1.0 - correlation.diagonal()).square().sum()
    return invariance + lam * off_diagonal_energy(correlation)


def off_diagonal_energy(matrix: Float32[Tensor, "D D"]) -> Float32[Tensor, ""]:
    """Return Σ_i Σ_{j≠i} M_ij², a scalar; exactly 0 for a diagonal matrix [D, D]."""
    return (matrix - torch.diag_embed(matrix.diagonal())).square().sum()
