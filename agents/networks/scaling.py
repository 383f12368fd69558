"""State vectors laid into [-3, 3] by the bounds that the environment states."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

SPAN = 3.0  # about what a whitened variable spans
LARGEST_BOUND = 1e6  # some simulators write the largest float32 for "none"


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
        bounded = (bounds.abs() < LARGEST_BOUND).all(dim=0) & (bounds[1] > bounds[0])
        self.register_buffer("centre", torch.where(bounded, bounds.mean(dim=0), 0.0))
        self.register_buffer("half_range", torch.where(bounded, (bounds[1] - bounds[0]) / 2, 1.0))

    def forward(self, observation: Float[Tensor, "B S"]) -> Float32[Tensor, "B S"]:
        """Scale vectors [B, S]."""
        return SPAN * (observation - self.centre) / self.half_range
