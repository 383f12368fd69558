"""From raw screens to the frame an agent sees, and from an env step to emulator frames."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


def grey(screen: NDArray[Any]) -> Frame:
    """Return an RGB screen uint8 [h, w, 3] as grey uint8 [h, w] (ITU-R BT.601 weights)."""
    if not screen.flags.c_contiguous:
        # Joining planes is four times as fast as copying pixels whose channels run backwards.
        screen = cv2.merge([screen[..., channel] for channel in range(3)])
    return np.asarray(cv2.cvtColor(screen, cv2.COLOR_RGB2GRAY), np.uint8)


def resize(screen: NDArray[Any], height: int, width: int) -> Frame:
    """Return a grey screen uint8 [h, w] as a frame uint8 [1, height, width], resized by area.

    The frame is a new array: the caller may keep it.
    """
    resized = cv2.resize(screen, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)[np.newaxis]


def grey_frame(image: NDArray[Any], height: int, width: int) -> Frame:
    """Return an image uint8 [h, w], [h, w, 1], [h, w, 3], [1, h, w] or [3, h, w] as a frame.

    The frame is uint8 [1, height, width].
    """
    if image.ndim == 3 and image.shape[-1] not in (1, 3):
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 3:
        image = grey(image) if image.shape[-1] == 3 else np.ascontiguousarray(image[..., 0])
    return resize(image, height, width)


def picture_frame(
    picture: NDArray[np.uint8], height: int, width: int, *, colour: Literal["grey", "rgb"]
) -> Frame:
    """Return an RGB picture uint8 [h, w, 3] as a frame, resized by area.

    The frame is uint8 [1, height, width], or with colour = "rgb" [3, height, width].
    """
    if colour == "grey":
        return resize(grey(picture), height, width)
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(np.asarray(resized, np.uint8), -1, 0))


def draw_repeats(generator: np.random.Generator, probability: float, frame_skip: int) -> list[bool]:
    """Draw for each emulator frame of a step whether the last action is repeated.

    Sticky actions, Machado et al. 2018 (arXiv 1709.06009), section 5.2: the emulator goes on with
    the last action with `probability`, drawn anew for every frame.
    """
    if probability == 0.0:
        return [False] * frame_skip
    repeats: list[bool] = (generator.random(frame_skip) < probability).tolist()
    return repeats
