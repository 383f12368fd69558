"""State vectors through a code and back: the encoder of states that learns, for a comparison."""

from typing import Self

import torch
from torch import Tensor, nn

from agents.encoders.encoder import Encoder, Latents
from agents.encoders.objective import DataShapes, Losses, Needs, Objective, Samples
from agents.encoders.preprocessing import VectorPreprocessing
from agents.losses.global_sum import global_mean
from agents.networks.layers import FullPrecisionLinear, dense_layers

HIDDEN_SIZE = 128


class VectorEncoder(Encoder):
    """A hidden layer of rectifiers over standardised state vectors.

    Args:
        preprocessing: of state vectors.
        feature_size: D.
    """

    kind = "dense"
    observes = "states"

    def __init__(self, preprocessing: VectorPreprocessing, *, feature_size: int) -> None:
        super().__init__(preprocessing, feature_size, {"feature_size": feature_size})
        self.network = nn.Sequential(
            dense_layers((preprocessing.size, HIDDEN_SIZE), nn.ReLU()),
            FullPrecisionLinear(HIDDEN_SIZE, feature_size),
        )

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Encode standardised vectors [B, S]."""
        del memory
        return Latents(self.network(inputs), None), None


class StateAutoencoder(Objective):
    """s -> code -> ŝ, trained by the mean squared error of the standardised state.

    Args:
        encoder: of states.
    """

    kind = "state_autoencoder"

    def __init__(self, encoder: VectorEncoder) -> None:
        super().__init__(encoder, {})
        (size,) = encoder.preprocessing.shape
        self.decoder = nn.Sequential(
            dense_layers((encoder.feature_size, HIDDEN_SIZE), nn.ReLU()),
            FullPrecisionLinear(HIDDEN_SIZE, size),
        )

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's states.

        Raises:
            ValueError: the dataset has no states.
        """
        if not shapes.state_size:
            raise ValueError(f"{cls.kind} is trained on states, and the dataset has none")
        preprocessing = VectorPreprocessing(shapes.state_size)
        return cls(VectorEncoder(preprocessing, feature_size=shapes.feature_size))

    @property
    def needs(self) -> Needs:
        """States."""
        return Needs(("states",))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the error of the states; nothing is drawn."""
        del generator
        inputs = self.encoder.preprocessing(self.observed(samples))
        errors = (self.decoder(self.features(samples)) - inputs).square().mean(dim=1)
        error, _ = global_mean(errors)
        return Losses(error, {"reconstruction": error.detach()})
