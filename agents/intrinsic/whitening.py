"""The running mean and deviation of a bonus's input, of all ranks.

Burda et al. 2018 (arXiv 1810.12894), section 2.4: a network that is never trained cannot adapt to
the scale of its input, so inputs are whitened and clipped to [-5, 5].
"""

import torch
from torch import Tensor

from agents.intrinsic.base import Experience
from agents.losses.moments import merge_all, moments_of
from agents.networks.normalization import RunningMoments
from agents.ranks import Ranks

INPUT_CLIP = 5.0
CHUNK_SIZE = 1024  # samples of a rollout that pass the networks at once


class Whitening(RunningMoments):
    """Inputs of shape [*shape], laid around 0 with deviation 1."""

    @torch.no_grad()
    def update_from(self, experience: Experience, ranks: Ranks) -> None:
        """Add what followed every step of a rollout, of all ranks; once per rollout."""
        parts = [
            moments_of(experience.next_inputs(chunk))
            for chunk in experience.samples.split(CHUNK_SIZE)
        ]
        self.update(ranks.merge(merge_all(parts)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return clip((inputs − mean) / std, −5, 5), float32 [B, *shape]."""
        return self.normalize(inputs, INPUT_CLIP)

    def metrics(self) -> dict[str, Tensor]:
        """Return the means over all entries, for the log."""
        return {"observation/mean": self.mean.mean(), "observation/std": self.std.mean()}
