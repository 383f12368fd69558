"""Layers that several networks share: convolutions over a frame, stacks of dense ones."""

import itertools
import math

import torch
from jaxtyping import Float, Float32, Num
from torch import Tensor, nn

from agents.networks.initialization import orthogonal_

HIDDEN_GAIN = math.sqrt(2.0)  # as in OpenAI baselines, before tanh too
FIRST_KERNEL, FIRST_STRIDE = 8, 4
SECOND_KERNEL, SECOND_STRIDE = 4, 2


class PixelConvolution(nn.Conv2d):
    """A first convolution over raw pixels: conv(x / 255).

    The division is done on the weight. That is 8,000 numbers instead of 28,000 a sample, and the
    values 0 to 255 are exact in bfloat16, which their 255ths are not.
    """

    def forward(self, frames: Num[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        """Convolve frames [B, C, H, W] of values 0 to 255, uint8 or floating point.

        Returns:
            [B, K, H', W'], of autocast's type or else of the weight's.
        """
        device = frames.device.type
        under_autocast = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if under_autocast else self.weight.dtype
        return nn.functional.conv2d(
            frames.to(dtype), self.weight / 255.0, self.bias, stride=self.stride
        )


class ConvolutionByProduct(nn.Conv2d):
    """A convolution without padding, computed as one product of matrices.

    For maps of few pixels. With 128 channels of 6 x 6, a kernel of 4 and 256 channels out, the way
    back of 32 samples takes 5.5 ms of a CPU's time, where torch's own takes 7 to 17.
    """

    def forward(self, maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        """Convolve maps [B, C, H, W]."""
        if maps.device.type != "cpu":
            return super().forward(maps)
        (height, width), (down, right) = self.kernel_size, self.stride
        seen = maps.permute(0, 2, 3, 1).unfold(1, height, down).unfold(2, width, right)
        rows = seen.permute(0, 1, 2, 4, 5, 3).flatten(3)  # [B, H', W', kernel * kernel * C]
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return nn.functional.linear(rows, weight, self.bias).permute(0, 3, 1, 2)


class DoublingConvolution(nn.ConvTranspose2d):
    """A transposed convolution of stride 2, computed as a convolution whose maps are interwoven.

        y[2 i + p] = Σ_j w[2 j + p] x[i - j],    p = 0, 1

    along both axes. For few output channels: there torch's own takes 2.5 times as long forwards, in
    float32 on a CPU. Elsewhere torch's own is used.

    Args:
        in_channels, out_channels: C and K.
        kernel: even.
        padding: rows and columns that are cut off on each side.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, padding: int = 0) -> None:
        if kernel % 2:
            raise ValueError(f"kernel {kernel} is odd, and the two phases share it evenly")
        super().__init__(in_channels, out_channels, kernel, stride=2, padding=padding)

    def forward(  # type: ignore[override] # torch's takes an output size
        self, maps: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B K H2 W2"]:
        """Draw maps [B, C, H, W] at twice their size."""
        if maps.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(maps)
        taps, cut = self.kernel_size[0] // 2, int(self.padding[0])
        phases = self.weight.unflatten(3, (taps, 2)).unflatten(2, (taps, 2)).flip(2, 4)
        weight = phases.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)  # [4 K, C, taps, taps]
        assert self.bias is not None
        bias = self.bias.repeat_interleave(4)
        drawn = nn.functional.conv2d(
            maps, weight.contiguous(memory_format=torch.channels_last), bias, padding=taps - 1
        )
        woven = nn.functional.pixel_shuffle(drawn, 2)
        return woven[:, :, cut : woven.shape[2] - cut, cut : woven.shape[3] - cut]


class FullPrecisionLinear(nn.Linear):
    """A linear layer in float32 whatever the precision around it.

    For the last layer of a network: bfloat16 keeps two to three digits, too few for values,
    log-probabilities and small prediction errors.
    """

    def forward(self, features: Float[Tensor, "*batch D"]) -> Float32[Tensor, "*batch K"]:
        """Map features [..., D] to float32 [..., K]."""
        if not torch.is_autocast_enabled(features.device.type):  # entering a context costs a third
            return nn.functional.linear(features.float(), self.weight, self.bias)
        with torch.autocast(features.device.type, enabled=False):
            return nn.functional.linear(features.float(), self.weight, self.bias)


def frame_convolutions(
    in_channels: int,
    channels: tuple[int, ...],
    third_kernel: int,
    activation: nn.Module,
    first_layer: type[nn.Conv2d] = nn.Conv2d,
) -> nn.Sequential:
    """Return three convolutions (kernel 8 stride 4, 4 and 2, third_kernel and 1), flattened.

    Args:
        in_channels: C of the input.
        channels: the three convolutions' output channels.
        third_kernel: kernel of the third.
        activation: follows each of the three; without parameters, so one serves all.
        first_layer: the class of the first.

    Returns:
        A module from [B, C, H, W] to [B, convolved_size(channels[2], H, W, third_kernel)].
    """
    one, two, three = channels
    return nn.Sequential(
        orthogonal_(first_layer(in_channels, one, FIRST_KERNEL, FIRST_STRIDE), HIDDEN_GAIN),
        activation,
        orthogonal_(nn.Conv2d(one, two, SECOND_KERNEL, SECOND_STRIDE), HIDDEN_GAIN),
        activation,
        orthogonal_(nn.Conv2d(two, three, third_kernel), HIDDEN_GAIN),
        activation,
        nn.Flatten(),
    )


def convolved_size(channels: int, height: int, width: int, third_kernel: int) -> int:
    """Return how many numbers `frame_convolutions` make of a frame of height x width pixels.

    Raises:
        ValueError: the frame is too small for the three convolutions.
    """
    size = channels
    for length in (height, width):
        first = (length - FIRST_KERNEL) // FIRST_STRIDE + 1
        second = (first - SECOND_KERNEL) // SECOND_STRIDE + 1
        if second < third_kernel:
            raise ValueError(
                f"frames of {height} x {width} pixels are too small for convolutions with "
                f"kernels {FIRST_KERNEL}, {SECOND_KERNEL} and {third_kernel}"
            )
        size *= second - third_kernel + 1
    return size


def dense_layers(sizes: tuple[int, ...], activation: nn.Module) -> nn.Sequential:
    """Return linear layers sizes[0] -> sizes[1] -> ..., each followed by `activation`."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [orthogonal_(nn.Linear(before, after), HIDDEN_GAIN), activation]
    return nn.Sequential(*layers)
