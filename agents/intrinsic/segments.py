"""Pieces of a rollout in their order of time, for what learns from sequences."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from agents.minibatches import MinibatchPlan
from agents.rollout import RolloutBuffer


@dataclass(frozen=True)
class History:
    """A rollout as the world model lived through it; all [T, N, ...].

    Attributes:
        rollout: where the frames are.
        actions, previous_actions: [T, N, A], a_t and a_{t-1}, embedded.
        starts, ended: [T, N], whether an episode started with o_t, and ended with step t. Of t = 0
            no start is told: the belief before it is zero if there was one.
        beliefs, previous_beliefs: [T, N, M], b_t and b_{t-1}.
        targets: [T, N, D], the slow encoder's features of what truly followed each step.
    """

    rollout: RolloutBuffer
    actions: Tensor
    previous_actions: Tensor
    starts: Tensor
    ended: Tensor
    beliefs: Tensor
    previous_beliefs: Tensor
    targets: Tensor


class SegmentBatch(NamedTuple):
    """B segments of L steps of one environment each; all [L, B, ...] but the belief.

    Attributes:
        frames: [L, B, ...], o_t, a single frame or a vector.
        actions, previous_actions, starts, ended, targets: as of a History.
        belief: [B, M], before the first step.
    """

    frames: Tensor
    actions: Tensor
    previous_actions: Tensor
    starts: Tensor
    ended: Tensor
    targets: Tensor
    belief: Tensor


class SegmentSampler:
    """Cuts a rollout into segments of equal length and deals them out in random order.

    Where T is no multiple of their length, they overlap a little. When all have been dealt, they
    are shuffled anew; that is once an epoch if the minibatches divide evenly.

    Args:
        history: the rollout.
        longest: steps of a segment at most.
        generator: for the order.
    """

    def __init__(self, history: History, longest: int, generator: torch.Generator) -> None:
        T, N = history.ended.shape
        pieces = -(-T // longest)
        self._length = -(-T // pieces)
        self._first_steps = [i * (T - self._length) // max(1, pieces - 1) for i in range(pieces)]
        self._num_envs = N
        self._history = history
        self._generator = generator
        self._order = torch.zeros(0, dtype=torch.int64, device=history.ended.device)

    def __call__(self, plan: MinibatchPlan) -> SegmentBatch:
        """Return as many segments as hold the plan's number of samples, at least one."""
        segments = self._deal(max(1, len(plan.samples) // self._length))
        first = torch.tensor(self._first_steps, device=segments.device)[segments // self._num_envs]
        envs = segments % self._num_envs
        steps = first + torch.arange(self._length, device=segments.device).unsqueeze(1)  # [L, B]
        history = self._history
        frames = history.rollout.frames((steps * self._num_envs + envs).flatten())
        return SegmentBatch(
            frames.unflatten(0, steps.shape),
            history.actions[steps, envs],
            history.previous_actions[steps, envs],
            history.starts[steps, envs],
            history.ended[steps, envs],
            history.targets[steps, envs],
            history.previous_beliefs[first, envs],
        )

    def _deal(self, count: int) -> Tensor:
        total = len(self._first_steps) * self._num_envs
        while len(self._order) < count:
            order = torch.randperm(total, generator=self._generator, device=self._order.device)
            self._order = torch.cat([self._order, order])
        dealt, self._order = self._order[:count], self._order[count:]
        return dealt
