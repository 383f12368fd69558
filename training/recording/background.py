"""The background of an episode: what stays where it is, and frames without it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEDIAN = "median"
ROWS_AT_ONCE = 8  # of pixels: the median sorts a copy of what it is given


def median_background(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median of each pixel over an episode's frames [T, H, W, C], as [H, W, C].

    Of an even number of frames it is the lower one of the two in the middle: a value that was seen.
    """
    middle = (len(frames) - 1) // 2
    background = np.empty(frames.shape[1:], np.uint8)
    for row in range(0, frames.shape[1], ROWS_AT_ONCE):
        rows = slice(row, row + ROWS_AT_ONCE)
        background[rows] = np.partition(frames[:, rows], middle, axis=0)[middle]
    return background


def without_background(frames: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return frames [T, H, W, C] minus their median, from -255 to 255.

    Bytes would wrap: a pixel that is darker than the background would turn bright.
    """
    differences: NDArray[Any] = frames.astype(np.int16)
    differences -= median_background(frames)
    return differences
