"""Target and predictor against the layers of the paper's code, one by one."""

import pytest
import torch
from torch import Tensor, nn

from agents.networks.rnd import FrameEncoder, VectorEncoder


def make_encoder(extra_hidden: tuple[int, ...] = ()) -> FrameEncoder:
    return FrameEncoder(
        36,
        44,
        conv_channels=(3, 4, 5),
        feature_size=6,
        extra_hidden=extra_hidden,
        leaky_slope=0.2,
    )


def slow_features(encoder: FrameEncoder, frames: Tensor) -> Tensor:
    """conv 8/4, 4/2, 3/1 with leaky rectifiers; dense layers with rectifiers; one without."""
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    *hidden, last = (m for m in encoder.modules() if isinstance(m, nn.Linear))
    x = frames
    for conv, stride in zip(convolutions, (4, 2, 1), strict=True):
        x = nn.functional.conv2d(x, conv.weight, conv.bias, stride=stride)
        x = torch.where(x > 0, x, 0.2 * x)
    x = x.flatten(1)
    for dense in hidden:
        x = (x @ dense.weight.T + dense.bias).clamp(min=0)
    return x @ last.weight.T + last.bias


@pytest.mark.parametrize("extra_hidden", [(), (8, 7)])
def test_frame_features_are_those_of_the_layers_in_turn(extra_hidden: tuple[int, ...]) -> None:
    encoder = make_encoder(extra_hidden)
    frames = torch.randn(4, 1, 36, 44)
    torch.testing.assert_close(encoder(frames), slow_features(encoder, frames))
    assert encoder(frames).shape == (4, encoder.feature_size)
    assert sum(isinstance(m, nn.Linear) for m in encoder.modules()) == 1 + len(extra_hidden)


def test_vector_features_are_those_of_the_layers_in_turn() -> None:
    encoder = VectorEncoder(3, (8, 7), 5, 0.2)
    one, two, last = (m for m in encoder.modules() if isinstance(m, nn.Linear))
    x = torch.randn(4, 3)
    leaky = nn.LeakyReLU(0.2)
    torch.testing.assert_close(encoder(x), last(leaky(two(leaky(one(x))))))
    assert encoder.feature_size == 5


def test_the_sizes_of_the_paper_have_the_papers_parameters() -> None:
    paper = {"conv_channels": (32, 64, 64), "feature_size": 512, "leaky_slope": 0.2}
    target = FrameEncoder(84, 84, extra_hidden=(), **paper)  # type: ignore[arg-type]  # mixed values
    predictor = FrameEncoder(84, 84, extra_hidden=(512, 512), **paper)  # type: ignore[arg-type]  # mixed values
    convolutions = (8 * 8 * 32 + 32) + (4 * 4 * 32 * 64 + 64) + (3 * 3 * 64 * 64 + 64)
    dense = 7 * 7 * 64 * 512 + 512
    assert sum(p.numel() for p in target.parameters()) == convolutions + dense
    extra = 2 * (512 * 512 + 512)
    assert sum(p.numel() for p in predictor.parameters()) == convolutions + dense + extra


def test_target_and_predictor_start_different() -> None:
    target, predictor = make_encoder(), make_encoder()
    for one, other in zip(target.parameters(), predictor.parameters(), strict=True):
        assert one.dim() == 1 or not torch.equal(one, other)


def test_a_predictor_learns_the_target_where_it_is_trained() -> None:
    target, predictor = VectorEncoder(2, (16,), 4, 0.2), VectorEncoder(2, (16,), 4, 0.2)
    x = torch.randn(32, 2)
    optimiser = torch.optim.Adam(predictor.parameters(), lr=1e-2)
    goal = target(x).detach()
    before = (predictor(x) - goal).square().mean().item()
    for _ in range(100):
        loss = (predictor(x) - goal).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        optimiser.step()
    assert loss.item() < 0.1 * before


def test_features_are_float32_under_autocast() -> None:
    encoder = make_encoder((8,))
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(torch.randn(4, 1, 36, 44)).dtype == torch.float32


def test_frames_that_leave_nothing_to_convolve_are_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        FrameEncoder(
            35, 84, conv_channels=(3, 4, 5), feature_size=6, extra_hidden=(), leaky_slope=0.2
        )
