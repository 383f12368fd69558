"""From pictures to codes: stacks of convolutions that halve what they see.

Weights lie channels last, which a CPU convolves faster; whatever the memory format of the input,
the result is the same. They start as PyTorch's own do.
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from agents.networks.batch_norm import ImageBatchNorm
from agents.networks.layers import ConvolutionByProduct


class StridedConvolutions(nn.Module):
    """Convolutions of stride 2 without padding, each rectified, and the result flattened.

    With kernel 4 and widths 32, 64, 128, 256 it is the encoder of Ha and Schmidhuber 2018 (arXiv
    1803.10122, appendix A.1).

    Args:
        in_channels: C.
        height, width: of a picture.
        widths: output channels of each convolution.
        kernel: of all of them.

    Raises:
        ValueError: the picture is too small for that many.
    """

    def __init__(
        self, in_channels: int, height: int, width: int, *, widths: tuple[int, ...], kernel: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        *others, (before_last, last) = itertools.pairwise((in_channels, *widths))
        for before, after in others:
            layers += [nn.Conv2d(before, after, kernel, stride=2), nn.ReLU()]
        layers += [ConvolutionByProduct(before_last, last, kernel, stride=2), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.output_size = widths[-1]
        for length in (height, width):
            left = length
            for _ in widths:
                left = (left - kernel) // 2 + 1
            if left < 1:
                raise ValueError(
                    f"pictures of {height} x {width} pixels are too small for {len(widths)} "
                    f"convolutions of kernel {kernel} and stride 2"
                )
            self.output_size *= left
        lay_channels_last(self)

    def forward(self, pictures: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Encode pictures [B, C, H, W] as [B, output_size], not negative."""
        code: Tensor = self.layers(pictures)
        return code


class PooledConvolutions(nn.Module):
    """Convolutions 3x3, each normalised over the batch and halved by a maximum over 2x2, flattened.

    The encoder of Warnell et al. 2018, "Deep TAMER" (arXiv 1709.10163): widths 64, 64, 64, 1.
    Rectified but for the last, whose single channel is the code: a rectifier there lets its
    numbers die.

    Args:
        in_channels: C.
        height, width: of a picture, each a multiple of 2 to the number of convolutions.
        widths: output channels of each convolution.

    Raises:
        ValueError: a side is no such multiple.
    """

    def __init__(
        self, in_channels: int, height: int, width: int, *, widths: tuple[int, ...]
    ) -> None:
        super().__init__()
        height, width = halved(height, width, times=len(widths))
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((in_channels, *widths)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                ImageBatchNorm(after),
                nn.MaxPool2d(2),
                nn.ReLU(),  # after the maximum, of which it is a quarter of the work
            ]
        self.layers = nn.Sequential(*layers[:-1], nn.Flatten())
        self.output_size = widths[-1] * height * width
        lay_channels_last(self)

    def forward(self, pictures: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Encode pictures [B, C, H, W] as [B, output_size]."""
        code: Tensor = self.layers(pictures)
        return code


def lay_channels_last(module: nn.Module) -> None:
    """Lay the weights of all convolutions in a module channels last, in place."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub lacks it


def halved(height: int, width: int, *, times: int) -> tuple[int, int]:
    """Return the sides of a picture after some halvings.

    Raises:
        ValueError: they cannot be halved so often.
    """
    step = 2**times
    if height % step or width % step or min(height, width) < step:
        raise ValueError(
            f"pictures of {height} x {width} pixels cannot be halved {times} times: both sides "
            f"must be multiples of {step}"
        )
    return height // step, width // step
