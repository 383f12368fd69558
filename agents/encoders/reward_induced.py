"""A representation that knows what rewards depend on, and need not know anything else.

Frames pass convolutions and an LSTM; from its output a head each predicts the labels of the step,
for instance what several reward functions pay.
"""

from typing import Self

import torch
from torch import Tensor, nn

from agents.encoders.encoder import Encoder, Latents
from agents.encoders.objective import (
    DataShapes,
    Losses,
    Needs,
    Objective,
    Samples,
    frames_of,
    given,
)
from agents.encoders.preprocessing import FramePreprocessing
from agents.losses.global_sum import global_masked_mean
from agents.networks.image_encoders import StridedConvolutions
from agents.networks.layers import FullPrecisionLinear

WIDTHS, KERNEL = (4, 8, 16, 32, 64), 3
HEAD_SIZE = 32
STEPS = 30


class RecurrentEncoder(Encoder):
    """Five convolutions, a linear layer, an LSTM whose output are the features.

    The memory is [B, 2, D]: output and cell. The LSTM computes in float32.

    Args:
        preprocessing: of frames.
        feature_size: D.
    """

    kind = "recurrent"

    def __init__(self, preprocessing: FramePreprocessing, *, feature_size: int) -> None:
        super().__init__(preprocessing, feature_size, {"feature_size": feature_size})
        convolutions = StridedConvolutions(
            preprocessing.channels,
            preprocessing.height,
            preprocessing.width,
            widths=WIDTHS,
            kernel=KERNEL,
        )
        self.network = nn.Sequential(
            convolutions, FullPrecisionLinear(convolutions.output_size, feature_size)
        )
        self.lstm = nn.LSTM(feature_size, feature_size, batch_first=True)

    def initial_memory(self, batch_size: int) -> Tensor:
        """Return zeros [B, 2, D]."""
        return next(self.lstm.parameters()).new_zeros(batch_size, 2, self.feature_size)

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Take one step with pictures [B, C, H, W]."""
        if memory is None:
            memory = self.initial_memory(len(inputs))
        outputs, memory = self._run(self.network(inputs).unsqueeze(1), memory)
        return Latents(outputs.squeeze(1), None), memory

    def frame_features(self, observations: Tensor) -> Tensor:
        """Return what the LSTM is fed, [B, D]: convolutions and the linear layer alone."""
        features: Tensor = self.network(self.preprocessing(observations))
        return features

    def sequence_from_inputs(self, inputs: Tensor) -> Tensor:
        """Run along sequences of pictures [B, T, C, H, W]."""
        seen = self.network(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        outputs, _ = self._run(seen, self.initial_memory(len(inputs)))
        return outputs

    def _run(self, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [B, T, D] of what is seen [B, T, D], and the memory after it."""
        start = tuple(part.contiguous() for part in memory.transpose(0, 1).unsqueeze(1))
        with torch.autocast(seen.device.type, enabled=False):
            outputs, end = self.lstm(seen.float(), start)
        return outputs, torch.cat(end).transpose(0, 1)


class RewardInduced(Objective):
    """The sum over labels of the mean squared error of each.

    Args:
        encoder: with a memory.
        labels: names of the labels, in the order of `Samples.labels`.
        steps: T of the windows.

    Raises:
        ValueError: no labels.
    """

    kind = "reward_induced"

    def __init__(
        self, encoder: RecurrentEncoder, *, labels: tuple[str, ...], steps: int = STEPS
    ) -> None:
        super().__init__(encoder, {"labels": list(labels), "steps": steps})
        if not labels:
            raise ValueError(f"{self.kind} predicts labels, and the dataset has none")
        self.labels = tuple(labels)
        self.heads = nn.ModuleList(_head(encoder.feature_size) for _ in labels)
        self._steps = steps

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's frames and labels."""
        frames = frames_of(shapes, cls.kind)
        encoder = RecurrentEncoder(frames, feature_size=shapes.feature_size)
        return cls(encoder, labels=shapes.labels)

    @property
    def needs(self) -> Needs:
        """Windows of frames with their labels."""
        return Needs(("observations", "labels", "mask"), self._steps)

    def predict(self, features: Tensor) -> Tensor:
        """Return the labels [..., K] that features [..., D] tell of."""
        return torch.cat([head(features) for head in self.heads], dim=-1)

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the sum of all labels' errors, and each of them by its name."""
        del generator
        features = self.encoder.encode_sequence(given(samples, "observations"), samples.mask)
        wanted = given(samples, "labels")
        mask = torch.ones_like(wanted[..., 0], dtype=torch.bool)
        errors = (self.predict(features) - wanted.float()).square()
        kept = mask if samples.mask is None else samples.mask
        means = [global_masked_mean(error, kept) for error in errors.unbind(dim=-1)]
        total = torch.stack(means).sum()
        parts = {name: mean.detach() for name, mean in zip(self.labels, means, strict=True)}
        return Losses(total, parts)

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Add the share of each label's variance that is explained."""
        found = self.predict(self.features(samples))
        wanted = self.single_steps(given(samples, "labels"), samples).float()
        errors, spread = (found - wanted).square().mean(dim=0), wanted.var(dim=0, correction=0)
        shares = torch.where(spread > 0, 1.0 - errors / torch.where(spread > 0, spread, 1.0), 0.0)
        explained = dict(zip(self.labels, shares.unbind(), strict=True))
        return super().diagnose(samples) | {
            f"labels/explained_{name}": share for name, share in explained.items()
        }


def _head(feature_size: int) -> nn.Sequential:
    """Return three layers of a perceptron, features to one label."""
    return nn.Sequential(
        nn.Linear(feature_size, HEAD_SIZE),
        nn.ReLU(),
        nn.Linear(HEAD_SIZE, HEAD_SIZE),
        nn.ReLU(),
        FullPrecisionLinear(HEAD_SIZE, 1),
    )
