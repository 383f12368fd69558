"""Mixture densities: how likely numbers are under a mixture of Gaussians, each by itself.

Bishop 2006, "Pattern Recognition and Machine Learning", section 5.6; Ha and Schmidhuber 2018,
"World Models", arXiv 1803.10122, section 2.2. Axes: K components of a mixture. All is computed in
float32.
"""

import math

import torch
from jaxtyping import Float, Float32
from torch import Tensor

_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def mixture_log_likelihood(
    log_weights: Float[Tensor, "*shape K"],
    means: Float[Tensor, "*shape K"],
    log_deviations: Float[Tensor, "*shape K"],
    targets: Float[Tensor, "*shape"],
) -> Float32[Tensor, "*shape"]:
    """Log-density of each target under its own mixture.

        log p(t) = log Σ_k π_k N(t | μ_k, σ_k²)

    Bishop 2006, equations 5.148 and 5.153. The sum is taken of logarithms (log-sum-exp): far from
    all components every term of the plain sum is 0 in float32, and its logarithm infinite.

    Args:
        log_weights: [..., K], log π, normalised over K, carries the gradient.
        means: [..., K], μ, carries the gradient.
        log_deviations: [..., K], log σ, carries the gradient.
        targets: [...], t.

    Returns:
        [...], in nats.
    """
    log_deviations = log_deviations.float()
    distances = (targets.float().unsqueeze(-1) - means.float()) * torch.exp(-log_deviations)
    densities = -0.5 * distances.square() - log_deviations - _LOG_ROOT_TWO_PI
    return torch.logsumexp(log_weights.float() + densities, dim=-1)


def mixture_mean(
    log_weights: Float[Tensor, "*shape K"], means: Float[Tensor, "*shape K"]
) -> Float32[Tensor, "*shape"]:
    """Expectation of a mixture, E[t] = Σ_k π_k μ_k; Bishop 2006, equation 5.158.

    Args:
        log_weights: [..., K], log π, normalised over K.
        means: [..., K], μ.
    """
    return (log_weights.float().exp() * means.float()).sum(dim=-1)


def mixture_sample(
    log_weights: Float[Tensor, "*shape K"],
    means: Float[Tensor, "*shape K"],
    log_deviations: Float[Tensor, "*shape K"],
    *,
    uniform: Float32[Tensor, "*shape K"],
    noise: Float32[Tensor, "*shape"],
    temperature: float,
) -> Float32[Tensor, "*shape"]:
    """Draw from a mixture that a temperature makes narrower or wider.

        k ~ π_k^(1/τ) / Σ_j π_j^(1/τ),    t = μ_k + √τ σ_k ε

    arXiv 1803.10122, section 2.2, with the form that its code gives τ. The component is
    argmax_k (log π_k - τ log(-log u_k)), the Gumbel-max trick, so τ = 0 takes the likeliest
    component's mean.

    Args:
        log_weights: [..., K], log π.
        means: [..., K], μ.
        log_deviations: [..., K], log σ.
        uniform: [..., K], u, uniform in [0, 1).
        noise: [...], ε ~ N(0, 1).
        temperature: τ, 0 or more; 1 leaves the mixture as it is.

    Returns:
        [...], without gradient through the choice of k.
    """
    bounded = uniform.clamp(min=torch.finfo(torch.float32).tiny, max=1.0 - 2.0**-24)
    gumbel = -torch.log(-torch.log(bounded))
    chosen = (log_weights.float() + temperature * gumbel).argmax(dim=-1, keepdim=True)
    mean = means.float().gather(-1, chosen).squeeze(-1)
    deviation = log_deviations.float().gather(-1, chosen).squeeze(-1).exp()
    return mean + math.sqrt(temperature) * deviation * noise
