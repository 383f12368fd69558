"""From codes to the logits of pictures [B, C, H, W], whose sigmoid is 0 to 1; in float32.

There is no dropout: a decoder that drops numbers draws holes.
"""

import itertools

from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.networks.batch_norm import ImageBatchNorm
from agents.networks.image_encoders import halved, lay_channels_last
from agents.networks.layers import DoublingConvolution

WORLD_MODELS_SIZE = 64  # pixels; the kernels below make nothing else
_START = (128, 5, 5)
_KERNELS, _LAST_KERNEL = (5, 6), 6
_WIDTHS = (128, 64, 32)


class WorldModelsDecoder(nn.Module):
    """The decoder of Ha and Schmidhuber 2018, arXiv 1803.10122, appendix A.1.

    A dense layer to 1024, then transposed convolutions of stride 2 with kernels 5, 5, 6, 6 to 128,
    64, 32 and C channels. The first of them sees a picture of one pixel, so it is written as what
    it is, a dense layer, which a CPU computes faster. Differs from the paper: its bias has a number
    for each pixel. The layer to 1024 is rectified, as in ctallec's world-models.

    Args:
        feature_size: D of a code.
        channels: C.
    """

    def __init__(self, feature_size: int, channels: int) -> None:
        super().__init__()
        start, height, width = _START
        layers: list[nn.Module] = [
            nn.Linear(feature_size, 1024),
            nn.ReLU(),
            nn.Linear(1024, start * height * width),
            nn.ReLU(),
            nn.Unflatten(1, _START),
        ]
        for (before, after), kernel in zip(itertools.pairwise(_WIDTHS), _KERNELS, strict=True):
            layers += [nn.ConvTranspose2d(before, after, kernel, stride=2), nn.ReLU()]
        last = DoublingConvolution(_WIDTHS[-1], channels, _LAST_KERNEL)
        self.layers = nn.Sequential(*layers, last)
        lay_channels_last(self)

    def forward(self, codes: Float[Tensor, "B D"]) -> Float32[Tensor, "B C 64 64"]:
        """Draw codes [B, D] as logits [B, C, 64, 64]."""
        logits: Tensor = self.layers(codes)
        return logits.float()


class TransposedDecoder(nn.Module):
    """A dense layer to a small map, then transposed convolutions (4x4, stride 2) that double it.

    Args:
        feature_size: D of a code.
        channels, height, width: of a picture; the sides multiples of 2 to the number of doublings.
        start_channels: of the small map.
        widths: output channels of all doublings but the last, which makes C.
        rectify_start: whether the small map is rectified; not where it mirrors a linear code.
        normalize: whether doublings are normalised over the batch.

    Raises:
        ValueError: a side is no such multiple.
    """

    def __init__(
        self,
        feature_size: int,
        channels: int,
        height: int,
        width: int,
        *,
        start_channels: int,
        widths: tuple[int, ...],
        rectify_start: bool,
        normalize: bool,
    ) -> None:
        super().__init__()
        height, width = halved(height, width, times=len(widths) + 1)
        layers: list[nn.Module] = [nn.Linear(feature_size, start_channels * height * width)]
        if rectify_start:
            layers.append(nn.ReLU())
        layers.append(nn.Unflatten(1, (start_channels, height, width)))
        for before, after in itertools.pairwise((start_channels, *widths)):
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=not normalize))
            layers += [ImageBatchNorm(after), nn.ReLU()] if normalize else [nn.ReLU()]
        last = (start_channels, *widths)[-1]
        self.layers = nn.Sequential(*layers, DoublingConvolution(last, channels, 4, padding=1))
        lay_channels_last(self)

    def forward(self, codes: Float[Tensor, "B D"]) -> Float32[Tensor, "B C H W"]:
        """Draw codes [B, D] as logits."""
        logits: Tensor = self.layers(codes)
        return logits.float()


class DenseDecoder(nn.Module):
    """A multilayer perceptron from a code to all pixels.

    Args:
        feature_size: D of a code.
        channels, height, width: of a picture.
        hidden_sizes: widths of the hidden layers.
    """

    def __init__(
        self,
        feature_size: int,
        channels: int,
        height: int,
        width: int,
        *,
        hidden_sizes: tuple[int, ...],
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((feature_size, *hidden_sizes)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        last = (feature_size, *hidden_sizes)[-1]
        self.layers = nn.Sequential(
            *layers,
            nn.Linear(last, channels * height * width),
            nn.Unflatten(1, (channels, height, width)),
        )

    def forward(self, codes: Float[Tensor, "B D"]) -> Float32[Tensor, "B C H W"]:
        """Draw codes [B, D] as logits."""
        logits: Tensor = self.layers(codes)
        return logits.float()
