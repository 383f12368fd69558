"""The policy's own features as what a bonus looks at ("modified" RND).

A live backbone moves under the bonus: what was well predicted becomes strange again although
nothing new was seen. A slow copy of it drifts less.
"""

import torch
from torch import nn

from agents.intrinsic.base import Inputs
from agents.networks.slow_copy import SlowCopy
from agents.rollout import RolloutBuffer

CHUNK_SIZE = 1024  # samples that pass the backbone at once


class PolicyFeatures(nn.Module):
    """Encodes what followed each step of a rollout, once per rollout.

    Args:
        backbone: the policy's; copied, or only looked at when asked.
        momentum: of the slow copy, moved after each optimiser step; None = the live backbone.
    """

    def __init__(self, backbone: nn.Module, momentum: float | None) -> None:
        super().__init__()
        self.slow_backbone = None if momentum is None else SlowCopy(backbone)
        self._momentum = momentum

    @torch.no_grad()
    def inputs(self, rollout: RolloutBuffer, backbone: nn.Module) -> Inputs:
        """Return the features of what followed samples [B], as they are now: [B, D] float32.

        They are kept for the whole update: the backbone that the update trains does not change the
        bonus's targets half way.
        """
        encoder = backbone if self.slow_backbone is None else self.slow_backbone
        samples = torch.arange(rollout.rewards.numel(), device=rollout.device)
        features = torch.cat(
            [
                encoder(rollout.next_observations(chunk)).float()
                for chunk in samples.split(CHUNK_SIZE)
            ]
        )
        return features.__getitem__

    def start_from(self, backbone: nn.Module) -> None:
        """Make the slow copy equal to `backbone`."""
        if self.slow_backbone is not None:
            self.slow_backbone.update(backbone, 0.0)

    def after_step(self, backbone: nn.Module) -> None:
        """Let the slow copy follow."""
        if self.slow_backbone is not None and self._momentum is not None:
            self.slow_backbone.update(backbone, self._momentum)
