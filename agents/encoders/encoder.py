"""What an encoder is: observations in, features out, its preprocessing inside.

One interface for all that looks at observations through one: a policy, a probe, a model of what
comes next, a controller. Axes: B environments or samples, T steps, D features, M a memory.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from agents.encoders.preprocessing import Preprocessing


class Latents(NamedTuple):
    """What an encoder makes of B observations: [B, D] float32, and how sure it is.

    `deviation` is None for all but encoders that give a distribution.
    """

    mean: Tensor
    deviation: Tensor | None


class Encoder(nn.Module, ABC):
    """A network with the preprocessing that it was trained with.

    Args:
        preprocessing: what turns observations into the network's input.
        feature_size: D.
        settings: what else it was made with, as JSON knows it.

    Attributes:
        kind: its name in the registry.
        observes: which of the data it sees, frames ("observations") or state vectors ("states").
    """

    kind: ClassVar[str]
    observes: ClassVar[Literal["observations", "states"]] = "observations"

    def __init__(
        self, preprocessing: Preprocessing, feature_size: int, settings: dict[str, Any]
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.feature_size = feature_size
        self._settings = settings

    @property
    def facts(self) -> dict[str, Any]:
        """A description in JSON's types, from which `build_encoder` makes the module anew."""
        return {
            "kind": self.kind,
            "preprocessing": self.preprocessing.facts,
            "settings": self._settings,
        }

    def initial_memory(self, batch_size: int) -> Tensor | None:
        """Return the memory [B, ...] before the first observation; None for stateless encoders.

        Where an episode ends, its row is laid back to this.
        """
        del batch_size
        return None

    def encode(
        self, observations: Tensor, memory: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the features [B, D] of observations [B, ...], and the memory after them.

        Args:
            observations: as they are kept in a dataset, of the form that `preprocessing` states.
            memory: what came before; None at the start of all episodes.

        Raises:
            UnexpectedObservationError: observations of another form.
        """
        latents, memory = self.latents(observations, memory)
        return latents.mean, memory

    def latents(
        self, observations: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Encode as `encode` does, but return the whole distribution."""
        return self.from_inputs(self.preprocessing(observations), memory)

    @abstractmethod
    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Encode what the preprocessing made, [B, ...]."""

    def encode_sequence(self, observations: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the features [B, T, D] of sequences that start with no memory.

        They are those of `encode` step by step.

        Args:
            observations: [B, T, ...].
            mask: [B, T], False where a shorter sequence is filled up, which is at its end; features
                there are 0. What stands there must be of the same form, and is not looked at.

        Raises:
            UnexpectedObservationError: observations of another form.
            ValueError: a mask with gaps.
        """
        B, T = observations.shape[:2]
        if mask is not None and bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise ValueError("a mask of sequences has gaps: only their ends may be filled up")
        inputs: Tensor = self.preprocessing(observations.flatten(0, 1)).unflatten(0, (B, T))
        if mask is not None:
            inputs = torch.where(mask.view(B, T, *[1] * (inputs.dim() - 2)), inputs, 0.0)
        features = self.sequence_from_inputs(inputs)
        return features if mask is None else torch.where(mask.unsqueeze(2), features, 0.0)

    def frame_features(self, observations: Tensor) -> Tensor:
        """Return features [B, D] of single observations [B, ...], whatever came before them.

        They are those of `encode` for stateless encoders; others give what their memory is fed.

        Raises:
            UnexpectedObservationError: observations of another form.
        """
        latents, _ = self.from_inputs(self.preprocessing(observations))
        return latents.mean

    def sequence_from_inputs(self, inputs: Tensor) -> Tensor:
        """Encode what the preprocessing made of sequences, [B, T, ...] to [B, T, D]."""
        latents, _ = self.from_inputs(inputs.flatten(0, 1))
        features: Tensor = latents.mean.unflatten(0, inputs.shape[:2])
        return features


class StateEncoder(Encoder):
    """The state itself, each dimension standardised: what a learnt encoder is measured against.

    Args:
        preprocessing: of state vectors.
    """

    kind = "state"
    observes: ClassVar[Literal["observations", "states"]] = "states"

    def __init__(self, preprocessing: Preprocessing) -> None:
        (size,) = preprocessing.shape
        super().__init__(preprocessing, size, {})

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Return the inputs [B, S]."""
        del memory
        return Latents(inputs, None), None
