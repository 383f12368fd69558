"""Pictures, what was made of them, and how far these are apart, as one picture."""

import numpy as np
import torch
from torch import Tensor

from agents.encoders.objective import Pictures
from training.figures.curves import Picture

SHOWN_CHANNELS = 3


def sheet(pictures: Pictures) -> Picture:
    """Return three rows, uint8 [3 H, B W, C]: originals, reconstructions, their difference."""
    original, made = (_shown(each) for each in pictures)
    difference = (original - made).abs()
    rows = [torch.cat(list(row), dim=2) for row in (original, made, difference)]
    whole = torch.cat(rows, dim=1).permute(1, 2, 0)  # [3 H, B W, C]
    values: Picture = (whole.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return np.ascontiguousarray(values)


def _shown(pictures: Tensor) -> Tensor:
    """Return [B, C, H, W] with one or three channels: of others the first is shown."""
    return pictures if pictures.shape[1] in (1, SHOWN_CHANNELS) else pictures[:, :1]
