"""Variational autoencoders: how far a code's distribution lies from the prior.

Kingma and Welling 2014, arXiv 1312.6114.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor


def gaussian_divergence(
    mean: Float[Tensor, "B D"], log_variance: Float[Tensor, "B D"]
) -> Float32[Tensor, " B"]:
    """Divergence of a diagonal Gaussian from the standard one.

        KL(N(μ, σ²) ‖ N(0, 1)) = -1/2 Σ_d (1 + log σ_d² - μ_d² - σ_d²)

    arXiv 1312.6114, appendix B. Computed in float32.

    Args:
        mean: [B, D], μ, carries the gradient.
        log_variance: [B, D], log σ², carries the gradient.

    Returns:
        [B], in nats, never negative.
    """
    mean, log_variance = mean.float(), log_variance.float()
    # expm1(x) - x keeps the digits that 1 + x - exp(x) loses near the prior.
    terms = mean.square() + torch.expm1(log_variance) - log_variance
    return 0.5 * terms.sum(dim=1)


def tolerated(divergence: Float32[Tensor, " B"], tolerance: float) -> Float32[Tensor, " B"]:
    """Divergence of which a part is free: max(KL, λ).

    Ha and Schmidhuber 2018, "World Models", arXiv 1803.10122; their code takes λ = 0.5 D for D
    dimensions. Below λ a sample's divergence has no gradient, so the code is not pressed into the
    prior any further.

    Args:
        divergence: [B], KL of each sample.
        tolerance: λ, in nats; 0 changes nothing.
    """
    return divergence.clamp_min(tolerance)


def reparameterized(
    mean: Float[Tensor, "B D"], log_variance: Float[Tensor, "B D"], noise: Float32[Tensor, "B D"]
) -> Float32[Tensor, "B D"]:
    """Return a sample through which gradients flow, z = μ + σ ε.

    arXiv 1312.6114, equation 10 with its Gaussian example.

    Args:
        mean: [B, D], μ.
        log_variance: [B, D], log σ².
        noise: [B, D], ε ~ N(0, 1).
    """
    return mean.float() + torch.exp(0.5 * log_variance.float()) * noise
