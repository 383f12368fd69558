"""What an encoder does with an observation before its network sees it.

It belongs to the encoder and to its checkpoint: who plays with an encoder hands it the very arrays
that it was trained on, and whatever else comes is refused. Statistics come from data, by `fit`.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from agents.losses.moments import moments_of
from configs.errors import ConfigurationError

Layout = Literal["HWC", "CHW"]
DTYPES: dict[str, torch.dtype] = {
    "uint8": torch.uint8,
    "int16": torch.int16,  # differences from a background, which have a sign
    "float32": torch.float32,
}
SMALLEST_DEVIATION = 1e-6  # what varies less is taken not to vary, and only centred


class UnexpectedObservationError(ConfigurationError, ValueError):
    """Observations of another form than those that an encoder was trained on."""


def to_layout(frames: Tensor, source: Layout, target: Layout) -> Tensor:
    """Return frames [..., H, W, C] (HWC) or [..., C, H, W] (CHW) in the other order, as a view.

    Datasets keep the channel last, the trainer's environments first.
    """
    if source == target:
        return frames
    return frames.movedim(-1, -3) if target == "CHW" else frames.movedim(-3, -1)


def median_picture(frames: Tensor) -> Tensor:
    """Return the per-pixel median of frames [N, ...], [...] of their type: the background.

    Of an even number, the lower of the two in the middle, which is a value that was there.
    """
    median: Tensor = frames.median(dim=0).values
    return median


class Preprocessing(nn.Module, ABC):
    """Observations as they are kept -> what a network takes.

    Args:
        settings: what it was made with, as JSON knows it.
    """

    kind: ClassVar[str]

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._settings = settings

    @property
    def facts(self) -> dict[str, Any]:
        """What it is made from anew (`build_preprocessing`); its statistics are buffers."""
        return {"kind": self.kind, **self._settings}

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one observation as it comes."""

    @abstractmethod
    def fit(self, observations: Tensor) -> None:
        """Take the statistics from observations [N, ...] of the training data."""

    @abstractmethod
    def forward(self, observations: Tensor) -> Tensor:
        """Turn observations [B, ...] into the network's input.

        Raises:
            UnexpectedObservationError: another type, shape or range.
        """


class FramePreprocessing(Preprocessing):
    """Frames of a stated type, range, layout and size, as pictures around 0.

        x = (frame - low) / (high - low),    then x - background,    then (x - mean) / deviation

    the last two where asked for; mean and deviation are per channel.

    Args:
        height, width, channels: of a frame; frames of a stack are channels.
        layout: where the channel stands.
        dtype: "uint8", "int16" or "float32", with values from `low` to `high`.
        low, high: what black and white are.
        subtract_background: whether the data's per-pixel median is taken off, with its sign.
        standardize: whether channels are brought to mean 0 and deviation 1.

    Raises:
        ValueError: settings that contradict each other.
    """

    kind = "frames"
    background: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        *,
        layout: Layout = "HWC",
        dtype: str = "uint8",
        low: float = 0.0,
        high: float = 255.0,
        subtract_background: bool = False,
        standardize: bool = False,
    ) -> None:
        super().__init__(
            {
                "height": height,
                "width": width,
                "channels": channels,
                "layout": layout,
                "dtype": dtype,
                "low": low,
                "high": high,
                "subtract_background": subtract_background,
                "standardize": standardize,
            }
        )
        if dtype not in DTYPES or layout not in ("HWC", "CHW") or not low < high:
            raise ValueError(
                f"frames of type {dtype!r}, layout {layout!r} and range {low} to {high}: the type "
                f"is one of {', '.join(DTYPES)}, the layout HWC or CHW, and the range not empty"
            )
        self.height, self.width, self.channels = height, width, channels
        self._layout: Layout = layout
        self.dtype = DTYPES[dtype]
        self._low, self._high = low, high
        self._subtract, self._standardize = subtract_background, standardize
        if subtract_background:
            self.register_buffer("background", torch.zeros(channels, height, width))
        if standardize:
            self.register_buffer("mean", torch.zeros(channels))
            self.register_buffer("deviation", torch.ones(channels))

    @property
    def shape(self) -> tuple[int, ...]:
        """[H, W, C] or [C, H, W]."""
        if self._layout == "HWC":
            return self.height, self.width, self.channels
        return self.channels, self.height, self.width

    def as_kept(self, frames: Tensor) -> Tensor:
        """Return frames [B, C, H, W] of an environment as they are kept: the channel's place."""
        return to_layout(frames, "CHW", self._layout).contiguous()

    def pictures(self, frames: Tensor) -> Tensor:
        """Return frames [B, ...] as float32 [B, C, H, W] from 0 to 1, channels last in memory.

        Raises:
            UnexpectedObservationError: another type, shape or range.
        """
        self._check(frames)
        scaled = to_layout(frames, self._layout, "CHW") * (1.0 / (self._high - self._low))
        if self._low:
            scaled = scaled - self._low / (self._high - self._low)
        return scaled.contiguous(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> Tensor:
        """Return frames [B, ...] as the network's input [B, C, H, W], float32.

        Raises:
            UnexpectedObservationError: another type, shape or range.
        """
        pictures = self.pictures(frames)
        if self._subtract:
            pictures = pictures - self.background
        if self._standardize:
            pictures = (pictures - _of_channels(self.mean)) / _of_channels(self.deviation)
        return pictures

    @torch.no_grad()
    def fit(self, observations: Tensor) -> None:
        """Take background, mean and deviation from frames [N, ...], where they are asked for."""
        if self._subtract:
            self.background.copy_(self.pictures(median_picture(observations).unsqueeze(0))[0])
        if self._standardize:
            pictures = self.pictures(observations)
            if self._subtract:
                pictures = pictures - self.background
            moments = moments_of(pictures.permute(0, 2, 3, 1).flatten(0, 2))
            self.mean.copy_(moments.mean)
            self.deviation.copy_(_usable((moments.m2 / moments.count).sqrt()))

    def _check(self, frames: Tensor) -> None:
        trained = f"the encoder was trained on {self._in_words()}"
        if frames.dtype != self.dtype:
            hint = "pass frames as they were kept, neither divided nor converted"
            raise UnexpectedObservationError(
                f"frames of {_name(frames.dtype)} came, but {trained}: {hint}"
            )
        if frames.dim() != 4 or tuple(frames.shape[1:]) != self.shape:
            raise UnexpectedObservationError(
                f"frames of shape {_sides(frames.shape[1:])} came, but {trained}: "
                f"{self._mend(frames)}"
            )
        if frames.is_floating_point():
            lowest, highest = (float(end) for end in torch.aminmax(frames))
            if not (lowest >= self._low and highest <= self._high):
                raise UnexpectedObservationError(
                    f"frames with values from {lowest:g} to {highest:g} came, but {trained}: "
                    "pass frames as they were kept"
                )

    def _mend(self, frames: Tensor) -> str:
        """Say what may have gone wrong with a shape."""
        if tuple(frames.shape) == self.shape:
            return "a batch axis is missing, add it by frame.unsqueeze(0)"
        other: Layout = "CHW" if self._layout == "HWC" else "HWC"
        if (
            frames.dim() == 4
            and tuple(to_layout(frames, other, self._layout).shape[1:]) == self.shape
        ):
            return (
                f'the channel stands elsewhere, use to_layout(frames, "{other}", "{self._layout}")'
            )
        return "resize them, stack as many and keep the colours, as for the training data"

    def _in_words(self) -> str:
        dtype = str(self._settings["dtype"])
        return (
            f"{dtype} frames of shape {_sides(self.shape)} ({self._layout}) with values from "
            f"{self._low:g} to {self._high:g}"
        )


class VectorPreprocessing(Preprocessing):
    """State vectors, each dimension brought to mean 0 and deviation 1 over the training data.

        x = (s - mean) / deviation

    Args:
        size: S, dimensions of a vector.
    """

    kind = "vectors"
    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__({"size": size})
        self.size = size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @property
    def shape(self) -> tuple[int, ...]:
        """[S]."""
        return (self.size,)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return vectors [B, S] as float32 [B, S].

        Raises:
            UnexpectedObservationError: integers, or another shape.
        """
        if vectors.dim() != 2 or vectors.shape[1] != self.size or not vectors.is_floating_point():
            raise UnexpectedObservationError(
                f"{_name(vectors.dtype)} of shape {_sides(vectors.shape)} came, but the encoder "
                f"was trained on batches of floating-point vectors of {self.size} numbers: pass "
                "states as they were kept, with a batch axis in front"
            )
        return (vectors.float() - self.mean) / self.deviation

    def restored(self, inputs: Tensor) -> Tensor:
        """Return standardised vectors [B, S] in their own units."""
        return inputs * self.deviation + self.mean

    @torch.no_grad()
    def fit(self, observations: Tensor) -> None:
        """Take mean and deviation from vectors [N, S]."""
        moments = moments_of(observations)
        self.mean.copy_(moments.mean)
        self.deviation.copy_(_usable((moments.m2 / moments.count).sqrt()))


def build_preprocessing(facts: dict[str, Any]) -> Preprocessing:
    """Return the preprocessing that `facts` describe, with statistics still to be loaded.

    Raises:
        ValueError: no such kind, or settings that it does not have.
    """
    settings = {name: value for name, value in facts.items() if name != "kind"}
    kinds: dict[str, type[Preprocessing]] = {
        each.kind: each for each in (FramePreprocessing, VectorPreprocessing)
    }
    try:
        return kinds[facts["kind"]](**settings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no preprocessing is described by {facts}") from error


def _usable(deviation: Tensor) -> Tensor:
    return torch.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)


def _of_channels(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
