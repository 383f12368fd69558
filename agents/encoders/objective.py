"""What an objective is: an encoder, what is trained with it, and a loss of samples from a dataset.

A new one is one file with one class, and a line in `registry.py` (docs/extending.md). Its rules are
those of all that is trained under DistributedDataParallel: every trained parameter takes part in
every loss, random numbers come from the given generator, and the loss is the mean over the samples
of all ranks (`agents.losses.global_sum`), so that ranks may have unequally many.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.losses.collapse import effective_rank, feature_spread
from agents.networks.batch_norm import follow_batch

LARGEST_DIAGNOSIS = 512  # samples that figures of a representation look at


class Samples(NamedTuple):
    """What is taken from a dataset; fields that an objective does not need are None.

    Single samples are [B, ...], windows [B, T, ...]. Frames are as they are kept (uint8,
    [..., H, W, C]), states and actions floating point, discrete actions integers without an axis.
    """

    observations: Tensor | None = None
    next_observations: Tensor | None = None  # what followed the action
    states: Tensor | None = None  # the simulator's own [..., S], or observations that are vectors
    next_states: Tensor | None = None
    actions: Tensor | None = None
    labels: Tensor | None = None  # what is to be predicted of each step, [..., K]
    mask: Tensor | None = None  # [B, T], False where a window is filled up at its end
    deviations: Tensor | None = None  # of observations that are means of an encoder's latents
    next_deviations: Tensor | None = None
    rewards: Tensor | None = None  # [B, T], of the action
    terminations: Tensor | None = None  # [B, T], whether the episode came to its own end with it


@dataclass(frozen=True)
class Needs:
    """Which fields of `Samples` an objective wants.

    Attributes:
        fields: their names.
        steps: T of a window; 1 = single samples, without an axis of time and without a mask.
    """

    fields: tuple[str, ...]
    steps: int = 1


class Losses(NamedTuple):
    """What is minimised, and what it is made of, without gradient: scalars."""

    total: Tensor
    parts: dict[str, Tensor]


class Pictures(NamedTuple):
    """Pictures beside what was made of them: [B, C, H, W] from 0 to 1."""

    original: Tensor
    reconstruction: Tensor


@dataclass(frozen=True)
class DataShapes:
    """What a dataset holds, as far as an objective must know it before it is built.

    Attributes:
        frames: settings of the frames, None where there are only vectors.
        feature_size: D wanted of the encoder.
        state_size: S of the state, 0 where there is none.
        action_size: A numbers of an action, or choices.
        discrete_actions: whether actions are choices.
        labels: names of the labels.
        vector_size: D of observations that are vectors or latents, 0 where they are frames.
        finished: an encoder that has been trained, for what builds on one; None without one.
    """

    frames: FramePreprocessing | None
    feature_size: int
    state_size: int = 0
    action_size: int = 0
    discrete_actions: bool = False
    labels: tuple[str, ...] = ()
    vector_size: int = 0
    finished: Encoder | None = None


class Objective(nn.Module, ABC):
    """Owns an encoder and what it takes to train it; the forward pass is the loss.

    Args:
        encoder: what is kept in the end.
        settings: what else it was made with, as JSON knows it.

    Attributes:
        kind: its name.
        builds_on_encoder: whether it can be given an encoder that has been trained.
    """

    kind: ClassVar[str]
    builds_on_encoder: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, settings: dict[str, Any]) -> None:
        super().__init__()
        self.encoder = encoder
        self._settings = settings

    @classmethod
    @abstractmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for a dataset, with the settings of its paper.

        Raises:
            ValueError: the dataset lacks what it needs.
        """

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """What each batch must hold."""

    @property
    def facts(self) -> dict[str, Any]:
        """A description in JSON's types, from which `build_objective` makes the module anew."""
        return {"kind": self.kind, "encoder": self.encoder.facts, "settings": self._settings}

    def fit(self, samples: Samples) -> None:
        """Take all statistics from samples [N, ...] of the training data, once, before training.

        On rank 0, before DistributedDataParallel hands its buffers to the others; or on all ranks
        from the same samples.
        """
        self.encoder.preprocessing.fit(self.single_steps(self.observed(samples), samples))

    @abstractmethod
    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the loss of a batch, the mean over the samples of all ranks."""

    def after_step(self, progress: float) -> None:
        """Move what follows, after an optimiser step, when `progress` in [0, 1] is done."""
        del progress
        follow_batch(self)

    def observed(self, samples: Samples) -> Tensor:
        """Return what the encoder sees of the samples, [B, ...] or [B, T, ...]."""
        return given(samples, self.encoder.observes)

    def features(self, samples: Samples) -> Tensor:
        """Return the features [K, D] of all observations in the samples, fillings left out."""
        observations = self.observed(samples)
        if self.needs.steps == 1:
            features, _ = self.encoder.encode(observations)
            return features
        return self.single_steps(self.encoder.encode_sequence(observations, samples.mask), samples)

    def single_steps(self, values: Tensor, samples: Samples) -> Tensor:
        """Return [K, ...] of samples [K, ...], or of windows [B, T, ...] without fillings."""
        if self.needs.steps == 1:
            return values
        return values.flatten(0, 1) if samples.mask is None else values[samples.mask]

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Return figures by which it is watched; call it in evaluation mode (`eval()`).

        Whether the features have collapsed: their effective rank, and their spread.
        """
        features = self.features(samples)[:LARGEST_DIAGNOSIS].float()
        return {
            "representation/effective_rank": effective_rank(features),
            "representation/feature_std": feature_spread(features),
        }

    def reconstruct(self, samples: Samples) -> Pictures | None:
        """Draw the samples' frames from their features; None where nothing is drawn."""
        del samples
        return None


def given(samples: Samples, field: str) -> Tensor:
    """Return a field of the samples.

    Raises:
        ValueError: it is not there.
    """
    value: Tensor | None = getattr(samples, field)
    if value is None:
        raise ValueError(f"the samples hold no {field}, which this objective needs")
    return value


def frames_of(shapes: DataShapes, kind: str) -> FramePreprocessing:
    """Return the settings of a dataset's frames.

    Raises:
        ValueError: it has none.
    """
    if shapes.frames is None:
        raise ValueError(f"{kind} is trained on frames, and the dataset has vectors alone")
    return shapes.frames
