"""Proximal policy optimisation: its losses and the figures by which it is watched.

Schulman et al. 2017, arXiv 1707.06347. Coefficients are applied where losses are summed.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from agents.losses.moments import Moments


def clipped_surrogate_loss(
    log_prob: Float[Tensor, " B"],
    old_log_prob: Float[Tensor, " B"],
    advantages: Float[Tensor, " B"],
    clip_range: float,
) -> Float[Tensor, ""]:
    """Clipped surrogate objective, negated to be minimised.

        ρ = π(a|s) / π_old(a|s)
        L = - E[min(ρ A, clip(ρ, 1 - ε, 1 + ε) A)]

    arXiv 1707.06347, equation 7.

    Args:
        log_prob: [B], log π(a|s), carries the gradient.
        old_log_prob: [B], log π_old(a|s) as recorded when acting, without gradient.
        advantages: [B], A, without gradient.
        clip_range: ε.

    Returns:
        The mean over B, a scalar.
    """
    ratio = torch.exp(log_prob - old_log_prob)
    clipped_ratio = torch.clamp(ratio, 1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratio * advantages, clipped_ratio * advantages).mean()


def value_loss(value: Float[Tensor, " B"], target: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean squared error of a value head, E[(V(s) - R)²]; arXiv 1707.06347, below equation 9.

    Args:
        value: [B], V(s), carries the gradient.
        target: [B], R, without gradient.

    Returns:
        The mean over B, a scalar, without the customary factor 1/2.
    """
    return torch.square(value - target).mean()


def clipped_value_loss(
    value: Float[Tensor, " B"],
    old_value: Float[Tensor, " B"],
    target: Float[Tensor, " B"],
    clip_range: float,
) -> Float[Tensor, ""]:
    """Mean squared error of a value head whose change in one update is bounded.

        V_clip = V_old + clip(V - V_old, -ε, ε)
        L = E[max((V - R)², (V_clip - R)²)]

    Not in the PPO paper: OpenAI baselines, `ppo2/model.py`; the paper's RND does without it.

    Args:
        value: [B], V(s), carries the gradient.
        old_value: [B], V_old(s) as recorded when acting, without gradient.
        target: [B], R, without gradient.
        clip_range: ε, in units of the value.

    Returns:
        The mean over B, a scalar, without the customary factor 1/2.
    """
    clipped_value = old_value + torch.clamp(value - old_value, -clip_range, clip_range)
    return torch.maximum(torch.square(value - target), torch.square(clipped_value - target)).mean()


def approximate_kl(
    log_prob: Float[Tensor, " B"], old_log_prob: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Estimate KL(π_old ‖ π) from actions drawn by π_old: E[(ρ - 1) - log ρ], never negative.

    Schulman 2020, "Approximating KL divergence", estimator k3: unbiased, of low variance.

    Args:
        log_prob: [B], log π(a|s).
        old_log_prob: [B], log π_old(a|s).

    Returns:
        The mean over B, a scalar, in nats.
    """
    log_ratio = log_prob - old_log_prob
    return (torch.expm1(log_ratio) - log_ratio).mean()


def clip_fraction(
    log_prob: Float[Tensor, " B"], old_log_prob: Float[Tensor, " B"], clip_range: float
) -> Float[Tensor, ""]:
    """Share of samples whose ratio has left the clip range, E[|ρ - 1| > ε].

    Args:
        log_prob: [B], log π(a|s).
        old_log_prob: [B], log π_old(a|s).
        clip_range: ε.

    Returns:
        The mean over B, a scalar in [0, 1].
    """
    left = torch.abs(torch.expm1(log_prob - old_log_prob)) > clip_range
    return left.to(log_prob.dtype).mean()


def explained_variance(errors: Moments, targets: Moments) -> Float64[Tensor, ""]:
    """Share of the targets' variance that the values account for, 1 - Var[R - V] / Var[R].

    1 is a perfect prediction, 0 no better than a constant, below 0 worse. Differs from OpenAI
    baselines: 0 instead of NaN where the targets do not vary, so that logs stay finite.

    Args:
        errors: of R - V, V(s) as recorded when acting.
        targets: of R, of the same samples.

    Returns:
        A scalar.
    """
    # Returns are float32: what differs by less than some units of the last place is rounding.
    varies = targets.m2 > 1e-12 * targets.count * targets.mean.square()
    ratio = errors.m2 / torch.where(varies, targets.m2, 1.0)
    return torch.where(varies, 1.0 - ratio, 0.0)
