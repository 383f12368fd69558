"""A deterministic policy at play, outside of training."""

import copy
from typing import Protocol, Self

import torch
from torch import Tensor

from agents.encoded_frames import frame_stack
from agents.encoders.encoder import Encoder
from agents.frame_stack import FrameStack
from agents.td3.td3_agent import with_noise
from training.building.seeding import make_generator
from training.playing.player import Choice
from workers.environments.base import EnvironmentSpec


class Actor(Protocol):
    """Who decides: a TD3Learner, or a graph that was exported of one.

    Attributes:
        encoder: frozen; makes the observations, which are features then. None: they are what the
            environment shows.
    """

    encoder: Encoder | None

    def act(self, observations: Tensor) -> Tensor:
        """Return actions [n, A] within -1 and 1, float32, for observations [n, ...]."""

    def values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return what is expected [n] of observations [n, ...] and actions [n, A]."""


class DeterministicPlayer:
    """An actor with the frames it needs to remember; see GamePlayer.

    Args:
        actor: decides, on `device`.
        spec: the environment.
        stack_size: frames in the policy's input.
        device: where it computes.
        seed: of the noise.
        noise: deviation of the noise on its actions, as in training; 0 where it plays greedily.
    """

    def __init__(
        self,
        actor: Actor,
        spec: EnvironmentSpec,
        stack_size: int,
        device: torch.device,
        seed: int,
        *,
        noise: float,
    ) -> None:
        self.spec = spec
        self.device = device
        self._actor = actor
        self._stack_size = stack_size
        self._noise = noise
        self._generator = make_generator(seed, "evaluation actions", 0, device)

    def remember(self, observations: Tensor) -> FrameStack:
        """Return the memory of episodes that begin with `observations` [n, ...]."""
        first = observations.to(self.device)
        return frame_stack(self._actor.encoder, first, self._stack_size)

    def act(self, frames: FrameStack) -> Tensor:
        """Return the actions [n, A] for what `frames` remembers, on the CPU."""
        return self._actions(frames).cpu()

    def reseeded(self, seed: int) -> Self:
        """Return the same player with a random stream of its own, from `seed`."""
        other = copy.copy(self)
        other._generator = torch.Generator(self.device).manual_seed(seed)
        return other

    def decide(self, frames: FrameStack) -> Choice:
        """Return what is done in the face of what `frames` remembers, and what Q_1 expects of it.

        There is no bonus: the second value is 0.
        """
        actions = self._actions(frames)
        values = self._actor.values(frames.observation, actions).cpu()
        return Choice(actions.cpu(), values, torch.zeros_like(values))

    def _actions(self, frames: FrameStack) -> Tensor:
        actions = self._actor.act(frames.observation)
        return with_noise(actions, self._noise, self._generator) if self._noise else actions
