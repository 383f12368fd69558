"""Frames: the right grey, the right size, and memory of their own; sticky draws."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from workers.environments.parts.preprocessing import draw_repeats, grey, grey_frame, resize


@pytest.fixture
def picture() -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def test_grey_is_the_same_for_any_memory_order(picture: NDArray[np.uint8]) -> None:
    expected = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    backwards = np.ascontiguousarray(picture[:, :, ::-1])[:, :, ::-1]
    assert np.array_equal(grey(picture), expected)
    assert np.array_equal(grey(backwards), expected)


def test_area_resizing_averages_whole_blocks() -> None:
    blocks = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4) * 10, np.ones((5, 5), np.uint8))
    frame = resize(blocks, 3, 4)
    assert frame.shape == (1, 3, 4)
    assert np.array_equal(frame[0], np.arange(12).reshape(3, 4) * 10)


def test_a_frame_of_unchanged_size_does_not_share_the_memory_of_its_screen() -> None:
    screen = np.zeros((40, 40), np.uint8)
    frame = resize(screen, 40, 40)
    screen[:] = 255
    assert frame.max() == 0


def test_images_of_every_layout_give_the_same_frame(picture: NDArray[np.uint8]) -> None:
    expected = resize(grey(picture), 36, 40)
    assert np.array_equal(grey_frame(picture, 36, 40), expected)
    assert np.array_equal(grey_frame(np.moveaxis(picture, -1, 0), 36, 40), expected)
    flat = grey(picture)
    for image in (flat, flat[..., np.newaxis], flat[np.newaxis]):
        assert np.array_equal(grey_frame(image, 36, 40), expected)


def test_repeats_have_their_probability_and_are_drawn_per_frame() -> None:
    generator = np.random.default_rng(0)
    draws = np.array([draw_repeats(generator, 0.25, 4) for _ in range(5000)])
    assert draws.shape == (5000, 4)
    # 20,000 draws: the standard deviation of the mean is 0.003.
    assert abs(draws.mean() - 0.25) < 0.015
    assert np.all(np.abs(np.corrcoef(draws.T) - np.eye(4)) < 0.06)


def test_without_stickiness_nothing_is_drawn() -> None:
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    assert draw_repeats(generator, 0.0, 4) == [False] * 4
    assert generator.bit_generator.state == before
