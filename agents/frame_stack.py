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

    def ahead(self, observations: Tensor) -> Tensor:
        """Return what the stacked input would be if `observations` [N, ...] came next."""
        return self._stacked([*self._frames[1:], observations.clone()])

    @property
    def policy_input(self) -> Tensor:
        """What a policy without a memory judges."""
        return self.observation

    def keep(self, memory: Tensor | None) -> None:
        """Take what the policy remembers: nothing."""

    @property
    def observation(self) -> Tensor:
        """The stacked input, [N, S * C, H, W] (oldest frame first), or [N, D]."""
        return self._stacked(self._frames)

    def state(self) -> dict[str, Tensor]:
        """Return all that is remembered."""
        return {"frames": torch.stack(self._frames)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Remember what `state` returned of a stack of the same size."""
        device = self._frames[0].device
        self._frames = [frame.to(device, copy=True) for frame in state["frames"]]

    def _stacked(self, frames: list[Tensor]) -> Tensor:
        return torch.cat(frames, dim=1) if self._stack_size > 1 else frames[0]


def _like(flags: Tensor, values: Tensor) -> Tensor:
    """Reshape flags [N] so that they broadcast over values [N, ...]."""
    return flags.reshape(-1, *[1] * (values.dim() - 1))
