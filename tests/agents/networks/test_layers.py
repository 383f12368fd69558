"""Layers that several networks share."""

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import nn

from agents.networks.layers import (
    ConvolutionByProduct,
    DoublingConvolution,
    FullPrecisionLinear,
    PixelConvolution,
    convolved_size,
    dense_layers,
    frame_convolutions,
)


def test_pixels_are_divided_by_255() -> None:
    layer = PixelConvolution(4, 8, 8, 4)
    frames = torch.randint(0, 256, (3, 4, 20, 24), dtype=torch.uint8)
    expected = nn.functional.conv2d(frames.float() / 255, layer.weight, layer.bias, stride=4)
    torch.testing.assert_close(layer(frames), expected)
    torch.testing.assert_close(layer(frames.float()), expected)


def test_the_weight_gets_the_gradient_of_the_division_too() -> None:
    layer = PixelConvolution(1, 2, 8, 4)
    frames = torch.randint(0, 256, (3, 1, 20, 20), dtype=torch.uint8)
    expected = nn.functional.conv2d(frames.float() / 255, layer.weight, layer.bias, stride=4)
    (one,) = torch.autograd.grad(layer(frames).square().sum(), layer.weight)
    (other,) = torch.autograd.grad(expected.square().sum(), layer.weight)
    torch.testing.assert_close(one, other)


def test_pixels_take_the_precision_of_autocast_or_of_the_weight() -> None:
    layer = PixelConvolution(1, 2, 8, 4)
    frames = torch.randint(0, 256, (3, 1, 20, 20), dtype=torch.uint8)
    assert layer(frames).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(frames).dtype == torch.bfloat16
    assert layer.double()(frames).dtype == torch.float64


def test_a_full_precision_layer_ignores_autocast() -> None:
    layer = FullPrecisionLinear(6, 3)
    features = torch.randn(5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(features)
        narrow = layer(features.bfloat16())
    assert torch.equal(output, nn.functional.linear(features, layer.weight, layer.bias))
    assert narrow.dtype == torch.float32


@pytest.mark.parametrize(("height", "width", "kernel"), [(84, 84, 4), (84, 84, 3), (36, 61, 3)])
def test_the_size_foretold_is_the_size_computed(height: int, width: int, kernel: int) -> None:
    trunk = frame_convolutions(2, (3, 4, 5), kernel, nn.ReLU())
    output = trunk(torch.zeros(1, 2, height, width))
    assert output.shape == (1, convolved_size(5, height, width, kernel))


@pytest.mark.parametrize(("height", "width", "kernel"), [(36, 36, 4), (35, 84, 3), (84, 8, 3)])
def test_frames_too_small_for_the_convolutions_are_refused(
    height: int, width: int, kernel: int
) -> None:
    with pytest.raises(ValueError, match=f"{height} x {width}.*too small"):
        convolved_size(5, height, width, kernel)


def test_dense_layers_activate_every_layer() -> None:
    layers = dense_layers((3, 8, 4), nn.ReLU())
    assert [type(layer) for layer in layers] == [nn.Linear, nn.ReLU] * 2
    assert (layers(torch.randn(20, 3)) >= 0).all()
    assert len(dense_layers((3,), nn.ReLU())) == 0


def test_a_frame_without_its_batch_axis_is_refused() -> None:
    layer = PixelConvolution(1, 2, 8, 4)
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(PixelConvolution.forward)(layer, torch.zeros(1, 20, 20))


@pytest.mark.parametrize(("kernel", "padding"), [(2, 0), (4, 1), (6, 0)])
def test_a_doubling_convolution_is_the_transposed_one(kernel: int, padding: int) -> None:
    layer = DoublingConvolution(3, 2, kernel, padding).double()
    maps = torch.randn(4, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    found = layer(maps)
    expected = nn.functional.conv_transpose2d(
        maps, layer.weight, layer.bias, stride=2, padding=padding
    )
    torch.testing.assert_close(found, expected)
    inputs = (maps, *layer.parameters())
    towards = torch.randn_like(found)
    one = torch.autograd.grad(found, inputs, towards, retain_graph=True)
    other = torch.autograd.grad(expected, inputs, towards)
    torch.testing.assert_close(one, other)


def test_a_doubling_convolution_of_an_odd_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel 5 is odd"):
        DoublingConvolution(1, 1, 5)


def test_a_convolution_by_product_is_a_convolution() -> None:
    layer = ConvolutionByProduct(3, 5, (3, 2), stride=(2, 1)).double()
    maps = torch.randn(4, 3, 8, 6, dtype=torch.float64, requires_grad=True)
    found = layer(maps)
    expected = nn.functional.conv2d(maps, layer.weight, layer.bias, stride=(2, 1))
    torch.testing.assert_close(found, expected)
    inputs = (maps, *layer.parameters())
    towards = torch.randn_like(found)
    one = torch.autograd.grad(found, inputs, towards, retain_graph=True)
    other = torch.autograd.grad(expected, inputs, towards)
    torch.testing.assert_close(one, other)
