"""The scale of the intrinsic reward: its running, discounted sum over time, and that sum's spread.

Burda et al. 2018 (arXiv 1810.12894), section 2.4: bonuses are divided by a running estimate of the
standard deviation of the intrinsic returns. Their code runs the sum forward in time,
f_t = γ f_{t-1} + r_t, never cut at an episode's end, and takes the deviation of all f_t so far.
"""

import torch
from torch import Tensor, nn

from agents.losses.moments import moments_of
from agents.losses.returns import forward_discounted_sums
from agents.networks.normalization import RunningMoments
from agents.ranks import Ranks

# Bonuses are float32: sums that differ by less, in proportion to their mean, differ by rounding.
_NO_SPREAD = 1e-12


class RewardFilter(nn.Module):
    """Divides bonuses by the running deviation of their forward-discounted sums.

    The deviation is that of all ranks; the sums belong to this rank's environments and are kept
    apart from the module's state (`rank_state`).
    """

    sums: Tensor

    def __init__(self, num_envs: int, gamma: float) -> None:
        super().__init__()
        self._gamma = gamma
        self.moments = RunningMoments(())
        self.register_buffer("sums", torch.zeros(num_envs, dtype=torch.float64), persistent=False)

    def update(self, bonuses: Tensor, ranks: Ranks) -> None:
        """Run the sums over `bonuses` [T, N] and merge their moments over ranks."""
        filtered = forward_discounted_sums(bonuses.double(), self.sums, self._gamma)
        self.sums.copy_(filtered[-1])
        self.moments.update(ranks.merge(moments_of(filtered.flatten())))

    def normalize(self, bonuses: Tensor) -> Tensor:
        """Return `bonuses` [T, N] divided by the deviation, float32; no mean is subtracted.

        As long as all sums are equal, as a single one is, there is no scale, and none is applied.
        """
        deviation = self.moments.std
        is_known = deviation > _NO_SPREAD * self.moments.mean.abs()
        return (bonuses.double() / torch.where(is_known, deviation + 1e-8, 1.0)).float()
