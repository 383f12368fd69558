"""Pictures to codes and back: sizes, what is refused, and the layers that are written otherwise."""

import pytest
import torch
from torch import nn

from agents.networks.batch_norm import ImageBatchNorm
from agents.networks.image_decoders import DenseDecoder, TransposedDecoder, WorldModelsDecoder
from agents.networks.image_encoders import PooledConvolutions, StridedConvolutions, halved


def test_the_encoder_of_world_models_makes_1024_numbers() -> None:
    encoder = StridedConvolutions(3, 64, 64, widths=(32, 64, 128, 256), kernel=4)
    assert encoder.output_size == 1024
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 1024)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (70, 48), (46, 200)])
def test_sizes_are_those_that_the_convolutions_give(height: int, width: int) -> None:
    encoder = StridedConvolutions(1, height, width, widths=(2, 3, 4, 5), kernel=4)
    assert encoder(torch.rand(1, 1, height, width)).shape == (1, encoder.output_size)


def test_the_memory_format_does_not_matter() -> None:
    encoder = StridedConvolutions(3, 16, 16, widths=(4, 5), kernel=3)
    pictures = torch.rand(2, 3, 16, 16)
    other = pictures.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder(other), encoder(pictures))


def test_deep_tamers_encoder_makes_a_hundred_numbers_of_two_frames() -> None:
    encoder = PooledConvolutions(2, 160, 160, widths=(64, 64, 64, 1)).eval()
    assert encoder.output_size == 100
    with torch.no_grad():
        code = encoder(torch.rand(1, 2, 160, 160))
    assert code.shape == (1, 100)
    assert code.min() < 0  # the code is not rectified


@pytest.mark.parametrize(("height", "width"), [(45, 64), (64, 20)])
def test_pictures_that_are_too_small_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height} x {width} pixels are too small for 4"):
        StridedConvolutions(1, height, width, widths=(2, 3, 4, 5), kernel=4)


@pytest.mark.parametrize(("height", "width"), [(60, 64), (64, 8), (0, 16)])
def test_pictures_that_cannot_be_halved_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        halved(height, width, times=4)


def test_decoders_draw_logits_of_the_stated_size_in_float32() -> None:
    decoders = (
        (WorldModelsDecoder(7, 3), (3, 64, 64)),
        (
            TransposedDecoder(
                7, 2, 32, 48, start_channels=3, widths=(4, 5), rectify_start=True, normalize=True
            ),
            (2, 32, 48),
        ),
        (DenseDecoder(7, 1, 5, 6, hidden_sizes=(8, 9)), (1, 5, 6)),
    )
    for decoder, shape in decoders:
        with torch.autocast("cpu", torch.bfloat16):
            pictures = decoder(100.0 * torch.randn(2, 7))
        assert pictures.shape == (2, *shape)
        assert pictures.dtype == torch.float32
        assert pictures.min() < 0 < pictures.max()


def test_the_dense_layer_is_the_transposed_convolution_of_a_single_pixel() -> None:
    decoder = WorldModelsDecoder(7, 3)
    dense, convolution = decoder.layers[2], nn.ConvTranspose2d(1024, 128, 5, stride=2)
    assert isinstance(dense, nn.Linear)
    with torch.no_grad():
        convolution.weight.copy_(dense.weight.T.view(1024, 128, 5, 5))
        convolution.bias.zero_()  # type: ignore[union-attr] # it has one
        dense.bias.zero_()
        x = torch.randn(2, 1024)
        expected = convolution(x.view(2, 1024, 1, 1))
        torch.testing.assert_close(dense(x).view(2, 128, 5, 5), expected, rtol=1e-4, atol=1e-4)


def test_a_linear_code_passes_the_decoders_start_unrectified() -> None:
    decoder = TransposedDecoder(
        7, 2, 32, 48, start_channels=3, widths=(4,), rectify_start=False, normalize=False
    )
    assert isinstance(decoder.layers[1], nn.Unflatten)


def test_maps_are_normalised_as_by_torch_in_value_and_gradient() -> None:
    own, known = ImageBatchNorm(3), nn.BatchNorm2d(3)
    with torch.no_grad():
        for mine, theirs in zip(own.parameters(), known.parameters(), strict=True):
            mine.copy_(torch.randn(3))
            theirs.copy_(mine)
    for scale in (1.0, 5.0):
        x = scale * torch.randn(4, 3, 5, 6) + 10.0
        x.requires_grad_()
        torch.testing.assert_close(own(x), known(x), rtol=1e-4, atol=1e-4)
        weights = torch.randn_like(x)
        (one,) = torch.autograd.grad((own(x) * weights).sum(), x)
        (other,) = torch.autograd.grad((known(x) * weights).sum(), x)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_looking_at_a_batch_changes_nothing_and_update_moves_once() -> None:
    own, known = ImageBatchNorm(3), nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 6) * 2.0 + 1.0
    own(x), known(x)
    assert (own.running_mean == 0).all()
    own.update()
    own.update()
    torch.testing.assert_close(own.running_mean, known.running_mean)
    torch.testing.assert_close(own.running_variance, known.running_var)
    own.eval(), known.eval()
    torch.testing.assert_close(own(x), known(x), rtol=1e-4, atol=1e-5)
    own.update()
    torch.testing.assert_close(own.running_mean, known.running_mean)
