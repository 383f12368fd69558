"""BYOL-Explore: errors of predictions made several steps ahead, as loss and as bonus.

Guo et al. 2022, "BYOL-Explore: Exploration by Bootstrapped Prediction", arXiv 2206.08332. Axes: T
steps, B sequences, K the horizon. A prediction is made at a time t for the horizon k = 1 .. K, from
the history up to o_t and the actions a_t .. a_{t+k-1}; it is of what followed step t+k-1. Where the
two meet in one tensor [K, T, B], entry [k-1, t] is that pair's.
"""

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn.functional import normalize

from agents.losses.byol import NORM_FLOOR


def prediction_errors(
    predicted: Float[Tensor, "*batch D"], target: Float[Tensor, "*batch D"]
) -> Float32[Tensor, "*batch"]:
    """Squared distance of the two directions, 0 where they agree, 4 where they are opposed.

        L(t, k) = ‖g(b_{t,k}) / ‖g(b_{t,k})‖ - sg(f_φ(o_{t+k}) / ‖f_φ(o_{t+k})‖)‖²

    arXiv 2206.08332, the latent-predictive world model. Computed in float32.

    Args:
        predicted: [..., D], g(b_{t,k}), carries the gradient.
        target: [..., D], f_φ(o_{t+k}), the slow encoder's features; its gradient is stopped.

    Returns:
        [...], one error for each pair.
    """
    direction = normalize(predicted.float(), dim=-1, eps=NORM_FLOOR)
    aim = normalize(target.detach().float(), dim=-1, eps=NORM_FLOOR)
    return (direction - aim).square().sum(dim=-1)


def reachable(ended: Bool[Tensor, "T B"], horizon: int) -> Bool[Tensor, "K T B"]:
    """Whether what followed step t+k-1 can be predicted from time t.

    It can if that step is among the T, and no episode ended in the steps t .. t+k-2 before it. What
    followed the last step of an episode is its true last observation, so that one counts.

    Args:
        ended: [T, B], whether an episode ended with the step.
        horizon: largest k, at least 1; no pair is longer than T.

    Returns:
        [K, T, B] with K = min(horizon, T). All of k = 1 is true.

    Raises:
        ValueError: a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"predictions reach at least one step ahead, not {horizon}")
    T = ended.shape[0]
    valid = ended.new_zeros(min(horizon, T), *ended.shape)
    valid[0] = True
    for k in range(1, len(valid)):  # of horizon k + 1
        valid[k, : T - k] = valid[k - 1, : T - k] & ~ended[k - 1 : T - 1]
    return valid


def sequence_loss(
    errors: Float32[Tensor, "K T B"], valid: Bool[Tensor, "K T B"]
) -> Float32[Tensor, ""]:
    """Mean over all times of the mean error of the predictions made at that time.

        L = 1 / (B T) Σ_b Σ_t 1 / K(t) Σ_{k ≤ K(t)} L(b, t, k)

    arXiv 2206.08332, the latent-predictive world model, where K(t) is the longest horizon valid at
    t. Every time counts alike: where ranks have equally many sequences of equal length, the mean
    over ranks, which DistributedDataParallel takes, is that over all sequences.

    Args:
        errors: [K, T, B], L(b, t, k); what stands at invalid pairs has no influence.
        valid: [K, T, B], see `reachable`.

    Returns:
        A scalar.
    """
    of_valid = errors.masked_fill(~valid, 0.0)
    return (of_valid.sum(dim=0) / valid.sum(dim=0)).mean()


def step_bonuses(
    errors: Float32[Tensor, "K T B"], valid: Bool[Tensor, "K T B"]
) -> Float32[Tensor, "T B"]:
    """How badly what followed each step was predicted, by all predictions of it.

        ℓ_s = Σ_{t+k-1 = s} L(t, k)

    arXiv 2206.08332, world model uncertainties. Differs from the paper, whose sum has fewer terms
    at the start of a trajectory: here it is K times the mean of the terms there are, which is the
    paper's sum wherever all K predictions exist. Elsewhere a bonus would be smaller merely because
    a rollout was cut there or an episode had just begun, and prioritization would take it for
    familiar.

    Args:
        errors: [K, T, B], L(t, k); what stands at invalid pairs has no influence.
        valid: [K, T, B], see `reachable`.

    Returns:
        [T, B], of what followed each step.
    """
    K, T, _ = errors.shape
    of_valid = errors.masked_fill(~valid, 0.0)
    total, count = torch.zeros_like(errors[0]), torch.zeros_like(errors[0])
    for k in range(K):
        total[k:] += of_valid[k, : T - k]
        count[k:] += valid[k, : T - k]
    return K * total / count


def prioritized(rewards: Float32[Tensor, "T N"], mean: Float[Tensor, ""]) -> Float32[Tensor, "T N"]:
    """Keep what is above the running mean: max(r - μ, 0).

    arXiv 2206.08332, reward prioritization: the policy is drawn only to what is more uncertain than
    usual.

    Args:
        rewards: [T, N], bonuses divided by their running deviation.
        mean: μ, the running mean of such bonuses.
    """
    return (rewards - mean.float()).clamp_min(0.0)
