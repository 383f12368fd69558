"""What every replay buffer is. Axes: N environments, B steps, A dimensions of actions."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Batch(NamedTuple):
    """B steps: observations and what followed them [B, ...], actions [B, A], the rest [B].

    `continues` is 0 where the episode terminated by the step, else 1: also where it was cut.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    continues: Tensor
    next_observations: Tensor


class Step(NamedTuple):
    """One step of N environments, as a pool gives it.

    Attributes:
        observations: [N, ...] what was acted on.
        actions: [N, A], float32.
        rewards: [N], float32.
        terminated, truncated: [N], bool.
        next_observations: [N, ...] the true next ones, of an episode that ends its last.
        new_observations: [N, ...] what is acted on next: after a reset where an episode ended.
        lost: [N], bool, whether it never happened, since the worker was lost that was to take it.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    next_observations: Tensor
    new_observations: Tensor
    lost: Tensor

    def lived(self, *, is_first: bool) -> Tensor:
        """Return whose steps are remembered, [N]: of the first ones all, so that there are some."""
        return torch.ones_like(self.lost) if is_first else ~self.lost


class Replay(Protocol):
    """A buffer of a fixed number of steps; the newest take the place of the oldest.

    Attributes:
        num_added: env steps that were ever added.
        capacity: steps that it holds at most.
    """

    num_added: int
    capacity: int

    def start(self, observations: Tensor) -> None:
        """Take the first observations [N, ...] of fresh episodes."""

    def add(self, step: Step) -> None:
        """Remember a step of all environments that took it."""

    def sample(self, num_batches: int, batch_size: int, stream: torch.Generator) -> Sequence[Batch]:
        """Draw batches of steps, each step as likely as any other, with replacement."""

    def state(self) -> dict[str, Tensor]:
        """Return all that it holds."""

    def restore(self, state: dict[str, Tensor]) -> bool:
        """Hold what `state` returned, if it can: not where its places mean others here.

        Raises:
            ValueError: it is of other observations or actions.
        """
