"""State vectors on the scale of a fresh network: by stated bounds, or by what was seen so far."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32, Num
from torch import Tensor, nn

from agents.networks.normalization import RunningMoments

SPAN = 3.0  # about what a whitened variable spans
LARGEST_BOUND = 1e6  # some simulators write the largest float32 for "none"
SMALLEST_RANGE = 1e-30
LARGEST_DEVIATION = 5.0  # as of a bonus's input


class BoundScaling(nn.Module):
    """3 (x - centre) / half range; a dimension without finite bounds is multiplied by 3 alone.

    A velocity within ±0.07 beside a position within ±1 is all but invisible to a fresh network, and
    inputs within ±1 leave its features too flat for the values to follow (docs/details.md).

    Args:
        low, high: bounds of the S dimensions.
    """

    centre: Tensor
    half_range: Tensor

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        super().__init__()
        bounds = torch.tensor([tuple(low), tuple(high)], dtype=torch.float32)
        half_range = (bounds[1] - bounds[0]) / 2
        # A range too small for float32 to divide by is none.
        bounded = (bounds.abs() < LARGEST_BOUND).all(dim=0) & (half_range > SMALLEST_RANGE)
        self.register_buffer("centre", torch.where(bounded, bounds.mean(dim=0), 0.0))
        self.register_buffer("half_range", torch.where(bounded, half_range, 1.0))

    def forward(self, observation: Float[Tensor, "B S"]) -> Float32[Tensor, "B S"]:
        """Scale vectors [B, S]."""
        return SPAN * (observation - self.centre) / self.half_range


class RunningScaling(RunningMoments):
    """(x - mean) / deviation of all states so far, within ±5; for states whose units nobody states.

    The statistics stand still while a rollout is collected and learnt from, so that a policy gives
    an action the probability that it was drawn with (`agents.ppo.state_statistics`).

    Args:
        num_dimensions: S.
    """

    def __init__(self, num_dimensions: int) -> None:
        super().__init__((num_dimensions,))

    def forward(self, observation: Float[Tensor, "B S"]) -> Float32[Tensor, "B S"]:
        """Scale vectors [B, S] by the statistics as they are."""
        return self.normalize(observation, LARGEST_DEVIATION)


class NoScaling(nn.Module):
    """State vectors, or frames, as they are."""

    def forward(self, observation: Num[Tensor, "B *S"]) -> Float32[Tensor, "B *S"]:
        """Return observations [B, ...] in float32."""
        return observation.float()
