"""Text in pictures."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [H, W, 3]
Colour = tuple[int, int, int]

SMALLEST_TEXT = 8


def draw_text(
    picture: Picture,
    text: str,
    origin: tuple[int, int],
    *,
    colour: Colour,
    width: int,
    size: int = 15,
    weight: int = 450,
    align: Literal["left", "centre", "right"] = "left",
) -> None:
    """Draw `text` with its base line at `origin`, from there, around it or up to it.

    Text wider than `width` pixels is drawn smaller.
    """
    font = cv2.FontFace("sans")
    while True:
        # Measured on a wide image: a narrow one would wrap the text.
        x, _, breadth, _ = cv2.getTextSize((1_000_000, 100), text, (0, 50), font, size, weight)
        if x + breadth <= width or size <= SMALLEST_TEXT:
            break
        size -= 1
    shift = {"left": 0, "centre": (x + breadth) // 2, "right": x + breadth}[align]
    cv2.putText(picture, text, (origin[0] - shift, origin[1]), colour, font, size, weight)
