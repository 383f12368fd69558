"""The last few frames of every environment, for acting outside of a rollout."""

import torch
from torch import Tensor


class FrameStack:
    """Keeps the policy's input: the last S frames, an episode's first frame repeated at its start.

    What it is given is copied: it may lie in memory that the environments write next.

    Args:
        first: first observations, [N, C, H, W] or [N, D].
        stack_size: S; vectors are not stacked.
    """

    def __init__(self, first: Tensor, stack_size: int) -> None:
        self._stack_size = stack_size
        self._frames = [first.clone()] * stack_size

    def push(self, observations: Tensor, ended: Tensor) -> None:
        """Add the next observations [N, ...]; where `ended` [N] is true they open an episode."""
        older = [
            torch.where(_like(ended, observations), observations, frame)
            for frame in self._frames[1:]
        ]
        self._frames = [*older, observations.clone()]

    @property
    def policy_input(self) -> Tensor:
        """What a policy without a memory judges."""
        return self.observation

    def keep(self, memory: Tensor | None) -> None:
        """Take what the policy remembers: nothing."""

    @property
    def observation(self) -> Tensor:
        """The stacked input, [N, S * C, H, W] (oldest frame first), or [N, D]."""
        return torch.cat(self._frames, dim=1) if self._stack_size > 1 else self._frames[0]


def _like(flags: Tensor, values: Tensor) -> Tensor:
    """Reshape flags [N] so that they broadcast over values [N, ...]."""
    return flags.reshape(-1, *[1] * (values.dim() - 1))
