"""Backbones against the paper's layers applied one by one."""

import pytest
import torch
from torch import Tensor, nn

from agents.networks.backbones import FrameBackbone, VectorBackbone


def make_backbone(third_kernel: int = 4) -> FrameBackbone:
    return FrameBackbone(
        4,
        52,
        60,
        conv_channels=(4, 6, 8),
        third_kernel=third_kernel,
        hidden_size=16,
        feature_size=12,
    )


def random_frames(batch: int = 3) -> Tensor:
    return torch.randint(0, 256, (batch, 4, 52, 60), dtype=torch.uint8)


def slow_features(backbone: FrameBackbone, frames: Tensor) -> Tensor:
    """conv 8/4, conv 4/2, conv k/1, dense, dense: rectified each, on frames between 0 and 1."""
    layers = [m for m in backbone.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    first, second, third, hidden, last = layers
    x = frames.float() / 255
    for conv, stride in ((first, 4), (second, 2), (third, 1)):
        x = torch.relu(nn.functional.conv2d(x, conv.weight, conv.bias, stride=stride))
    for dense in (hidden, last):
        x = torch.relu(nn.functional.linear(x.flatten(1), dense.weight, dense.bias))
    return x


@pytest.mark.parametrize("third_kernel", [3, 4])
def test_frame_features_are_those_of_the_layers_in_turn(third_kernel: int) -> None:
    backbone, frames = make_backbone(third_kernel), random_frames()
    torch.testing.assert_close(backbone(frames), slow_features(backbone, frames))
    assert backbone(frames).shape == (3, backbone.feature_size)


def test_uint8_and_float_frames_of_the_same_values_give_the_same_features() -> None:
    backbone, frames = make_backbone(), random_frames()
    assert torch.equal(backbone(frames), backbone(frames.float()))


def test_channels_last_changes_nothing_but_the_memory() -> None:
    backbone, frames = make_backbone(), random_frames()
    expected = backbone(frames)
    backbone = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    torch.testing.assert_close(backbone(frames), expected)
    last = frames.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(backbone(last), expected)


def test_autocast_comes_close() -> None:
    backbone, frames = make_backbone(), random_frames()
    with torch.autocast("cpu", torch.bfloat16):
        narrow = backbone(frames)
    torch.testing.assert_close(narrow.float(), backbone(frames), rtol=0.05, atol=0.02)


def test_frames_that_leave_nothing_to_convolve_are_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        FrameBackbone(
            1, 36, 36, conv_channels=(4, 6, 8), third_kernel=4, hidden_size=16, feature_size=12
        )


def test_two_channel_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        FrameBackbone(
            1, 84, 84, conv_channels=(4, 6), third_kernel=4, hidden_size=16, feature_size=12
        )


def test_vector_features_are_those_of_the_layers_in_turn() -> None:
    backbone = VectorBackbone(5, (7, 6))
    observation = torch.randn(9, 5)
    one, two = (m for m in backbone.modules() if isinstance(m, nn.Linear))
    expected = torch.tanh(two(torch.tanh(one(observation))))
    torch.testing.assert_close(backbone(observation), expected)
    assert backbone.feature_size == 6


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        VectorBackbone(5, (7, 6))(torch.randn(9, 4))
