"""Which cell of a table of states a frame counts in.

A maze draws its state and nothing else: equal frames are equal states. Elsewhere frames that look
alike count as one: 12 x 12 means of 84 x 84 pixels in eight greys, close to the cells of Go-Explore
(Ecoffet et al. 2019, arXiv 1901.10995, section 2.1). The table is of a fixed size, as in Tang et
al. 2017, "#Exploration" (arXiv 1611.04717): two states in one cell are taken for one.
"""

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

NUM_CELLS = 1 << 16
CHUNK_SIZE = 512  # frames that are made coarse at once
BLOCK = 7  # pixels, squared
GREYS = 32  # per level


def exact_cells(frames: Tensor) -> NDArray[np.int64]:
    """Return the cells [B] of frames uint8 [B, C, H, W], each frame a state of its own."""
    rows = frames.flatten(1).cpu().numpy()
    return np.fromiter((zlib.crc32(row) % NUM_CELLS for row in rows), np.int64, len(rows))


def coarse_cells(frames: Tensor) -> NDArray[np.int64]:
    """Return the cells [B] of frames uint8 [B, C, H, W], those that look alike in one."""
    means = avg_pool2d(frames.float().mean(1, keepdim=True), min(BLOCK, *frames.shape[2:]))
    return exact_cells((means / GREYS).to(torch.uint8))
