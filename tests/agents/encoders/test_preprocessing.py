"""What an encoder does with observations first, and what it refuses."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from agents.encoders.preprocessing import (
    FramePreprocessing,
    UnexpectedObservationError,
    VectorPreprocessing,
    build_preprocessing,
    median_picture,
    to_layout,
)
from configs.errors import ScoutError

H, W, C = 4, 6, 3


def frames(count: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, H, W, C), generator=generator, dtype=torch.uint8)


def fitted(**settings: Any) -> FramePreprocessing:
    preprocessing = FramePreprocessing(H, W, C, **settings)
    preprocessing.fit(frames())
    return preprocessing


def test_frames_become_pictures_as_by_numpy() -> None:
    preprocessing = fitted(subtract_background=True, standardize=True)
    scaled = frames().numpy().astype(np.float64) / 255.0
    median = np.sort(frames().numpy(), axis=0)[2].astype(np.float64) / 255.0
    moved = scaled - median
    expected = (moved - moved.mean(axis=(0, 1, 2))) / moved.std(axis=(0, 1, 2))
    np.testing.assert_allclose(
        preprocessing(frames()).numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5
    )
    np.testing.assert_allclose(
        preprocessing.pictures(frames()).numpy(), scaled.transpose(0, 3, 1, 2), atol=1e-6
    )


def test_a_pixel_darker_than_the_background_is_negative_and_does_not_wrap() -> None:
    preprocessing = FramePreprocessing(H, W, C, subtract_background=True)
    preprocessing.fit(torch.full((3, H, W, C), 200, dtype=torch.uint8))
    darker = preprocessing(torch.full((1, H, W, C), 100, dtype=torch.uint8))
    torch.testing.assert_close(darker, torch.full((1, C, H, W), -100 / 255))


def test_differences_keep_their_sign_and_the_background_is_grey() -> None:
    differences = torch.tensor([[-255, -1, 0, 1, 255]], dtype=torch.int16).view(1, 1, 5, 1)
    preprocessing = FramePreprocessing(1, 5, 1, dtype="int16", low=-255.0, high=255.0)
    expected = torch.tensor([0.0, 254 / 510, 0.5, 256 / 510, 1.0])
    torch.testing.assert_close(preprocessing.pictures(differences).flatten(), expected)
    assert preprocessing(torch.zeros_like(differences)).eq(0.5).all()


def test_the_median_of_moving_things_is_what_stands_still() -> None:
    still = frames(1).expand(5, -1, -1, -1).clone()
    for index in range(5):
        still[index, index % H] = 255  # a bar that is elsewhere each time
    assert torch.equal(median_picture(still), frames(1)[0])


@pytest.mark.parametrize("settings", [{}, {"subtract_background": True, "standardize": True}])
def test_a_dataset_and_an_environment_give_the_same_to_the_last_bit(
    settings: dict[str, Any],
) -> None:
    """The one keeps the channel last and gives batches, the other keeps it first, one at a time."""
    preprocessing = fitted(**settings)
    kept = preprocessing(frames())
    for frame, expected in zip(frames(), kept, strict=True):
        played = frame.permute(2, 0, 1).contiguous()
        converted = to_layout(played.unsqueeze(0), "CHW", "HWC")
        assert torch.equal(preprocessing(converted)[0], expected)
    channel_first = build_preprocessing(preprocessing.facts | {"layout": "CHW"})
    channel_first.load_state_dict(preprocessing.state_dict())
    assert torch.equal(channel_first(frames().permute(0, 3, 1, 2).contiguous()), kept)


def test_floats_of_a_stated_range_are_those_bytes() -> None:
    floats = frames().float() / 127.5 - 1.0
    preprocessing = FramePreprocessing(H, W, C, dtype="float32", low=-1.0, high=1.0)
    torch.testing.assert_close(preprocessing(floats), fitted()(frames()), rtol=0.0, atol=1e-6)


REFUSED: dict[str, tuple[torch.Tensor, str]] = {
    "floats from 0 to 1": (frames() / 255.0, "neither divided nor converted"),
    "floats from 0 to 255": (frames().float(), "neither divided nor converted"),
    "integers": (frames().int(), "frames of int32 came"),
    "another size": (frames()[:, :2], "frames of shape 2 x 6 x 3 came"),
    "grey": (frames()[..., :1], "frames of shape 4 x 6 x 1 came"),
    "channel first": (frames().permute(0, 3, 1, 2), 'use to_layout(frames, "CHW", "HWC")'),
    "no batch": (frames()[0], "a batch axis is missing"),
    "a window": (frames().unsqueeze(0), "trained on uint8 frames of shape 4 x 6 x 3 (HWC)"),
}


@pytest.mark.parametrize(("observations", "words"), REFUSED.values(), ids=REFUSED)
def test_frames_of_another_form_are_refused_in_one_message(
    observations: torch.Tensor, words: str
) -> None:
    with pytest.raises(UnexpectedObservationError) as raised:
        fitted()(observations)
    assert words in str(raised.value)
    assert "trained on uint8 frames of shape 4 x 6 x 3 (HWC) with values from 0 to 255" in str(
        raised.value
    )
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, ScoutError)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("worst", [-0.1, 1.5, float("nan")])
def test_floats_beyond_their_range_are_refused(worst: float) -> None:
    preprocessing = FramePreprocessing(H, W, C, dtype="float32", low=0.0, high=1.0)
    floats = frames() / 255.0
    preprocessing(floats)
    floats[2, 1, 1, 0] = worst
    with pytest.raises(UnexpectedObservationError, match=r"values from .* came"):
        preprocessing(floats)


def test_vectors_are_standardised_and_given_back() -> None:
    vectors = torch.randn(50, 3, dtype=torch.float64) * torch.tensor([1.0, 100.0, 0.0]) + 7.0
    preprocessing = VectorPreprocessing(3)
    preprocessing.fit(vectors)
    inputs = preprocessing(vectors)
    expected = (vectors - vectors.mean(0))[:, :2] / vectors.std(0, correction=0)[:2]
    torch.testing.assert_close(inputs[:, :2], expected.float(), rtol=1e-4, atol=1e-4)
    assert inputs[:, 2].abs().max() < 1e-4  # a dimension that does not vary is only centred
    torch.testing.assert_close(
        preprocessing.restored(inputs), vectors.float(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    "vectors", [torch.zeros(2, 4), torch.zeros(3), torch.zeros(2, 3, dtype=torch.int64)]
)
def test_vectors_of_another_form_are_refused(vectors: torch.Tensor) -> None:
    with pytest.raises(UnexpectedObservationError, match="vectors of 3 numbers"):
        VectorPreprocessing(3)(vectors)


@pytest.mark.parametrize("made", [fitted(standardize=True), VectorPreprocessing(3)])
def test_a_description_and_the_buffers_make_it_anew(made: Any) -> None:
    again = build_preprocessing(json.loads(json.dumps(made.facts)))
    again.load_state_dict(made.state_dict())
    assert again.facts == made.facts
    observations = frames() if made.kind == "frames" else torch.randn(2, 3)
    assert torch.equal(again(observations), made(observations))


@pytest.mark.parametrize("facts", [{"kind": "sounds"}, {}, {"kind": "vectors", "length": 3}])
def test_a_description_of_nothing_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no preprocessing"):
        build_preprocessing(facts)


@pytest.mark.parametrize("wrong", [{"dtype": "int8"}, {"layout": "WHC"}, {"low": 255.0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="range"):
        FramePreprocessing(H, W, C, **wrong)
