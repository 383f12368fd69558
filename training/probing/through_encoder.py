"""A policy that was trained in a dream, in the environment itself: it looks through the encoder."""

from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from agents.encoders.backbone import frames_of
from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from configs.errors import ConfigurationError
from training.collecting.choosing import Choice
from training.collecting.policies import MakePolicy, Policy
from training.dreaming.opening import DREAM
from workers.environments.base import EnvironmentSpec


class ThroughEncoder:
    """Acts on latents of what it is shown.

    Args:
        policy: acts on latents float32 [D].
        encoder: of frames, on the CPU.
    """

    def __init__(self, policy: Policy, encoder: Encoder) -> None:
        self._policy, self._encoder, self._frames = policy, encoder, frames_of(encoder)
        self._memory = encoder.initial_memory(1)

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._memory = self._encoder.initial_memory(1)
        self._policy.reset(seed)

    @torch.no_grad()
    def act(self, observation: NDArray[Any]) -> Any:
        """Return the policy's action."""
        frames = torch.from_numpy(observation.copy()).unsqueeze(0)
        latents, self._memory = self._encoder.encode(self._frames.as_kept(frames), self._memory)
        return self._policy.act(latents[0].numpy())


def for_environment(choice: Choice, encoder: Encoder) -> MakePolicy:
    """Return what makes the policy of an environment: of a dream's, one that looks through.

    Raises:
        ConfigurationError: the encoder sees no frames, and an environment shows nothing else.
    """
    if choice.config.environment.env_type != DREAM:
        return choice.make
    if not isinstance(encoder.preprocessing, FramePreprocessing):
        raise ConfigurationError(
            f"--policy: one that was trained in a dream looks through the encoder, and a "
            f"{encoder.kind} encoder sees no frames; play with random or brownian"
        )

    def make(spec: EnvironmentSpec) -> Policy:
        dreamt = replace(
            spec, observation_shape=(encoder.feature_size,), observation_dtype="float32"
        )
        return ThroughEncoder(choice.make(dreamt), encoder)

    return make
