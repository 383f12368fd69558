"""What an environment's render() returns, as a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [h, w, 3], RGB

CHANNEL_COUNTS = frozenset({1, 3, 4})


def as_picture(drawn: Any) -> Picture:
    """Return what was drawn as RGB.

    Args:
        drawn: [h, w], or with 1, 3 or 4 channels at either end (the fourth, how opaque a pixel is,
            is left out); whole numbers 0 to 255, floats from 0 to 1 or to 255, or truth values.

    Raises:
        ValueError: it is no picture; says what it is.
    """
    if drawn is None:
        raise ValueError("None")
    if isinstance(drawn, str | bytes | list | tuple | dict):
        raise ValueError(f"a {type(drawn).__name__}")
    picture = channels_last(np.asarray(drawn))
    has_form = picture.ndim == 3 and picture.shape[-1] in CHANNEL_COUNTS and picture.size > 0
    if not has_form or picture.dtype.kind not in "fiub":
        raise ValueError(f"{picture.dtype} {list(np.shape(drawn))}")
    if picture.shape[-1] == 1:
        picture = picture.repeat(3, axis=-1)
    return np.ascontiguousarray(as_bytes(picture[..., :3]))


def channels_last(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image [h, w], or with channels at either end, as [h, w, C]; others as they are."""
    if image.ndim == 2:
        return image[..., np.newaxis]
    if image.ndim == 3 and image.shape[-1] not in CHANNEL_COUNTS:
        return np.moveaxis(image, 0, -1) if image.shape[0] in CHANNEL_COUNTS else image
    return image


def as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return brightness as uint8: floats that do not exceed 1 are shares of 255."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        values = np.rint(values * 255 if values.size and values.max() <= 1.0 else values)
    return np.asarray(np.clip(values, 0, 255), np.uint8)
