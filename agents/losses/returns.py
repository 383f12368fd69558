"""Recursions over time: advantages backwards, the reward filter forwards.

Time is axis 0. Episode ends are data, not branches: they enter through `discounts` and `traces`.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def generalized_advantages(
    rewards: Float[Tensor, "T N"],
    values: Float[Tensor, "T N"],
    next_values: Float[Tensor, "T N"],
    discounts: Float[Tensor, "T N"],
    traces: Float[Tensor, "T N"],
) -> Float[Tensor, "T N"]:
    """Generalised advantage estimate, an exponential mean of n-step advantages.

        δ_t = r_t + γ_t V(s_{t+1}) - V(s_t)
        A_t = δ_t + γ_t λ_t A_{t+1},    A_T = 0

    Schulman et al. 2016, arXiv 1506.02438, equation 16, cut at T as in arXiv 1707.06347, equations
    11 and 12, with a γ and a λ of each step's own. The value target is A_t + V(s_t).

    Args:
        rewards: [T, N], r_t, received for the action taken in s_t.
        values: [T, N], V(s_t) for t in [0, T).
        next_values: [T, N], V(s_{t+1}) of the state that truly followed s_t: at an episode's end
            the final observation, never the reset one.
        discounts: [T, N], γ_t = γ (1 - terminated_t); a truncation still bootstraps.
        traces: [T, N], λ_t = λ (1 - done_t), done = terminated or truncated. A stream that is
            never cut passes the constants γ and λ.

    Returns:
        [T, N], A_t for t in [0, T).
    """
    deltas = (rewards + discounts * next_values - values).unbind()
    decays = (discounts * traces).unbind()
    advantage = torch.zeros_like(deltas[0])
    advantages = []
    for delta, decay in zip(reversed(deltas), reversed(decays), strict=True):
        advantage = delta + decay * advantage
        advantages.append(advantage)
    return torch.stack(advantages[::-1])


def forward_discounted_sums(
    rewards: Float[Tensor, "T N"], start: Float[Tensor, " N"], gamma: float
) -> Float[Tensor, "T N"]:
    """Discounted sum of the rewards so far, the quantity whose spread scales RND's bonus.

        R_t = γ R_{t-1} + r_t,    R_{-1} = start

    Burda et al. 2018, arXiv 1810.12894, section 2.4, and `RewardForwardFilter` of its code: the
    filter runs forward in time, for each environment alone, and is not cut at episode ends.

    Args:
        rewards: [T, N], r_t.
        start: [N], the last row of the previous rollout's result; zeros at first. Where it is
            float64, so is the sum.
        gamma: γ, the intrinsic discount.

    Returns:
        [T, N], R_t for t in [0, T); the last row is the next start.
    """
    discounted = start
    sums = []
    for reward in rewards.unbind():
        discounted = gamma * discounted + reward
        sums.append(discounted)
    return torch.stack(sums)
