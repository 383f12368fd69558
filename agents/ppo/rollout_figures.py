"""What is told of a rollout and of what it teaches: of the samples of all ranks together.

A deviation, a largest value or a share of a variance is not the mean of those of the ranks.
"""

import torch
from torch import Tensor

from agents.losses.moments import Moments, moments_of
from agents.losses.ppo import explained_variance
from agents.ppo.targets import Discounting, Targets
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer

RETURN_MEAN, RETURN_PAID = "values/return_mean", "values/return_paid"
LOWEST_REWARD = "values/reward_lowest"


@torch.no_grad()
def figures_of(
    rollout: RolloutBuffer,
    targets: Targets,
    discounting: Discounting,
    ranks: Ranks,
    *,
    has_bonus: bool,
) -> dict[str, Tensor]:
    """Return what was foretold, what came of it, and how well the one fits the other.

    Means and deviations of values, returns and advantages; the share of the returns' variance that
    the extrinsic values explain; the return that the mean reward comes to if it is paid for ever,
    r / (1 - γ), and the lowest reward, both on the scale of the returns; the highest bonus. A
    collective; the same on every rank.

    Args:
        rollout: T steps of N environments, with the values and bonuses as recorded.
        targets: that it teaches; advantages as they are before they are normalised.
        discounting: what they were made with.
        ranks: all agent processes, whose rollouts are of one shape.
        has_bonus: whether intrinsic values mean anything.
    """
    values, returns = rollout.values_extrinsic.flatten(), targets.returns_extrinsic
    rewards = discounting.reward_scale * rollout.rewards.flatten()
    watched = {
        "extrinsic": values,
        "return": returns,
        "advantage": targets.advantages,
        "error": returns - values,
        "reward": rewards,
    }
    if has_bonus:
        watched["intrinsic"] = rollout.values_intrinsic.flatten()
    table = ranks.merge(moments_of(torch.stack(list(watched.values()), dim=1)))
    columns = {
        name: Moments(table.count, table.mean[column], table.m2[column])
        for column, name in enumerate(watched)
    }
    errors, paid = columns.pop("error"), columns.pop("reward")
    figures = {f"values/{name}_mean": each.mean for name, each in columns.items()}
    figures |= {
        f"values/{name}_std": (each.m2 / each.count).sqrt() for name, each in columns.items()
    }
    figures["losses/explained_variance"] = explained_variance(errors, columns["return"])
    lowest, highest = _extremes(rewards, rollout.bonuses, ranks)
    if discounting.gamma < 1:
        figures[RETURN_PAID] = paid.mean / (1 - discounting.gamma)
        figures[LOWEST_REWARD] = lowest
    if has_bonus:
        figures["intrinsic/max"] = highest
    return figures


def _extremes(rewards: Tensor, bonuses: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor]:
    """Return the lowest reward and the highest bonus of all ranks."""
    of_each = torch.stack(ranks.gather(torch.stack([rewards.min(), bonuses.max()])))
    return of_each[:, 0].min(), of_each[:, 1].max()
