"""What TD3 minimises, and the target that its critics regress to.

Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (arXiv
1802.09477), algorithm 1. Actions reach from -1 to 1.
"""

from jaxtyping import Float
from torch import Tensor


def smoothed_actions(
    actions: Float[Tensor, "B A"], noise: Float[Tensor, "B A"], deviation: float, limit: float
) -> Float[Tensor, "B A"]:
    """Return the actions at which the target is taken.

        ã = clip(π'(s') + clip(σ ε, -c, c), -1, 1),  ε ~ N(0, 1)

    Equations 14 and 15: neighbouring actions get similar values.

    Args:
        actions: π'(s'), of the slow actor.
        noise: ε, standard normal.
        deviation: σ.
        limit: c.
    """
    return (actions + (deviation * noise).clamp(-limit, limit)).clamp(-1.0, 1.0)


def clipped_double_q_target(
    rewards: Float[Tensor, " B"],
    continues: Float[Tensor, " B"],
    next_values: Float[Tensor, "2 B"],
    gamma: float,
) -> Float[Tensor, " B"]:
    """Return what both critics regress to.

        y = r + γ (1 - terminated) min_i Q'_i(s', ã)

    Equation 10, with the smoothed action of equation 14. What was cut (truncated) goes on: its
    value counts.

    Args:
        rewards: r.
        continues: 0 where the episode terminated, else 1.
        next_values: Q'_1 and Q'_2, of the slow critics.
        gamma: γ, the discount.
    """
    return rewards + gamma * continues * next_values.amin(dim=0)


def critic_loss(values: Float[Tensor, "2 B"], targets: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Return the sum of both critics' mean squared errors.

        L = Σ_i mean_B (Q_i(s, a) - y)²

    Args:
        values: Q_1 and Q_2.
        targets: y, without gradient.
    """
    return (values - targets).square().mean(dim=1).sum()


def actor_loss(values: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Return the deterministic policy gradient's loss.

        L = -mean_B Q_1(s, π(s))

    Args:
        values: Q_1(s, π(s)), with its gradient to the actor.
    """
    return -values.mean()
