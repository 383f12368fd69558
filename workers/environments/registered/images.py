"""Which observations are images, which look like several of them, and which are vectors."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

CHANNEL_COUNTS = frozenset({1, 3})
RGBA = 4
MOST_STACKED = 16
SMALLEST_SIDE = 32  # of images that are not bytes, and of stacks: smaller ones may be tables


def is_byte_image(space: gymnasium.spaces.Box) -> bool:
    """Tell whether observations are uint8 [h, w], or [h, w] with 1 or 3 channels at either end."""
    shape = space.shape
    has_channels = len(shape) == 3 and not CHANNEL_COUNTS.isdisjoint((shape[0], shape[-1]))
    return space.dtype == np.uint8 and (len(shape) == 2 or has_channels)


def is_image(space: gymnasium.spaces.Box) -> bool:
    """Tell whether observations are images: bytes as above, RGBA, or numbers of another type.

    Those are floats from 0 to 1 or to 255, or whole numbers from 0 to 255.

    An image with four channels at its end may be four frames as well; see `may_be_either`.
    """
    if is_byte_image(space) or may_be_either(space):
        return True
    is_bright = _brightest(space) is not None
    has_form = len(space.shape) == 2 or (
        len(space.shape) == 3 and not CHANNEL_COUNTS.isdisjoint((space.shape[0], space.shape[-1]))
    )
    return bool(is_bright and has_form and is_large(space))


def is_stack(space: gymnasium.spaces.Box) -> bool:
    """Tell whether observations look like several frames: [S, h, w], [h, w, S] or [S, h, w, C]."""
    shape = space.shape
    if is_image(space) or len(shape) not in (3, 4) or _brightest(space) is None:
        return False
    counts = (shape[0],) if len(shape) == 4 else (shape[0], shape[-1])
    return is_large(space) and any(1 < count <= MOST_STACKED for count in counts)


def may_be_either(space: gymnasium.spaces.Box) -> bool:
    """Tell whether observations are [h, w, 4]: RGBA, or four frames."""
    shape = space.shape
    has_form = len(shape) == 3 and shape[-1] == RGBA and is_large(space)
    return has_form and _brightest(space) is not None


def as_bytes(image: NDArray[Any], space: gymnasium.spaces.Box) -> NDArray[Any]:
    """Return an observation of a space of images without a fourth channel, and floats as uint8."""
    if may_be_either(space):
        image = image[..., :3]
    if not np.issubdtype(space.dtype, np.floating):
        return image
    brightness = np.asarray(image, np.float32) * (255.0 / float(space.high.flat[0]))
    return np.asarray(np.clip(np.rint(brightness), 0, 255), np.uint8)


def _brightest(space: gymnasium.spaces.Box) -> float | None:
    """Return the highest value of what has the bounds of an image, else None."""
    if not np.prod(space.shape):
        return None
    low, high = float(space.low.flat[0]), float(space.high.flat[0])
    same = bool((space.low == low).all() and (space.high == high).all())
    if not same or low != 0.0:
        return None
    is_bytes = np.issubdtype(space.dtype, np.integer) and high == 255.0
    is_float = np.issubdtype(space.dtype, np.floating) and high in (1.0, 255.0)
    return high if is_bytes or is_float else None


def is_large(space: gymnasium.spaces.Box) -> bool:
    """Tell whether two sides are those of a picture; the others count channels or frames."""
    return sum(side >= SMALLEST_SIDE for side in space.shape) == 2
