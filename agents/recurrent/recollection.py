"""What a policy is shown outside of a rollout: the last frames, and what it remembers."""

from typing import Protocol

import torch
from torch import Tensor

from agents.encoded_frames import frame_stack
from agents.encoders.encoder import Encoder
from agents.frame_stack import FrameStack
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences


class Recollection(Protocol):
    """The episodes of N environments as their policy knows them."""

    @property
    def policy_input(self) -> PolicyInput:
        """What the policy is to judge next."""

    def keep(self, memory: Tensor | None) -> None:
        """Take what the policy remembers [N, M] after it has judged that; None without a memory."""

    def push(self, observations: Tensor, ended: Tensor) -> None:
        """Add the next observations [N, ...]; where `ended` [N] is true they open an episode."""


class RecurrentFrames:
    """Frames, and the memory of the policy that sees them.

    Args:
        frames: the last frames, at the start of all episodes.
        memory_size: M.
    """

    def __init__(self, frames: FrameStack, memory_size: int) -> None:
        self._frames = frames
        first = frames.observation
        self._memory = torch.zeros(len(first), memory_size, device=first.device)
        self._starts = torch.ones(len(first), dtype=torch.bool, device=first.device)

    @property
    def policy_input(self) -> Sequences:
        """Sequences of one step."""
        return Sequences(self._frames.observation, self._memory, self._starts.unsqueeze(0))

    def keep(self, memory: Tensor | None) -> None:
        """Remember it from now on."""
        assert memory is not None
        self._memory = memory

    def push(self, observations: Tensor, ended: Tensor) -> None:
        """Add the next observations; what ended is forgotten."""
        self._frames.push(observations, ended)
        self._starts = ended


def recollection(
    encoder: Encoder | None, first: Tensor, stack_size: int, memory_size: int
) -> Recollection:
    """Return what a policy knows at the first observations [N, ...].

    Args:
        encoder: frozen, whose features the policy sees in the place of frames.
        first: as the environments show them.
        stack_size: S. memory_size: M; 0 for a policy without a memory.
    """
    frames = frame_stack(encoder, first, stack_size)
    return RecurrentFrames(frames, memory_size) if memory_size else frames
