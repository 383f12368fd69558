"""Whatever render() returns becomes an RGB picture, or is refused by what it is."""

from typing import Any

import numpy as np
import pytest

from workers.environments.registered.pictures import as_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
OPAQUE = np.full((6, 5, 1), 255, np.uint8)
GREY = RGB[..., 0]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (RGB, RGB),
        (np.moveaxis(RGB, -1, 0), RGB),
        (np.concatenate([RGB, OPAQUE], axis=-1), RGB),
        (RGB / 255, RGB),
        ((RGB / 255).astype(np.float32), RGB),
        (RGB.astype(np.float64), RGB),
        (RGB.astype(np.int64) * 3 - 100, np.clip(RGB.astype(int) * 3 - 100, 0, 255)),
        (GREY, np.stack([GREY] * 3, axis=-1)),
        (GREY[..., None], np.stack([GREY] * 3, axis=-1)),
        (GREY > 99, np.stack([(GREY > 99) * 255] * 3, axis=-1)),
        (np.array([[np.nan, 0.5], [1.0, np.inf]]), np.array([[[0], [0]], [[1], [255]]])),
        (RGB[:, ::-1], RGB[:, ::-1]),
    ],
    ids=lambda value: f"{value.dtype}{list(value.shape)}",
)
def test_every_usual_form_is_drawn(drawn: Any, expected: Any) -> None:
    picture = as_picture(drawn)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert (picture == expected).all()


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (None, "None"),
        ("+--+\n|  |", "a str"),
        ([RGB, RGB], "a list"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]"),
        (np.zeros((4, 6, 5, 3), np.uint8), r"uint8 \[4, 6, 5, 3\]"),
        (np.zeros((6, 5, 7)), r"float64 \[6, 5, 7\]"),
        (np.zeros((6, 5), complex), r"complex128 \[6, 5\]"),
        (np.float64(3), r"float64 \[\]"),
        (object(), r"object \[\]"),
    ],
)
def test_what_is_no_picture_is_named(drawn: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        as_picture(drawn)
