"""Rollouts whose every number is known beforehand, and the slow way to stack their frames."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agents.rollout import RolloutBuffer, RolloutShape


@dataclass(frozen=True)
class Script:
    """What happens in T steps of N environments, time first in all but `first`.

    Attributes:
        first: [N, ...] the observations at t = 0 of a run's very first rollout.
        observations: [T, N, ...] the next observations, after auto-reset.
        finals: [T, N, ...] the true last observations; noise where no episode ended.
        rewards, terminated, truncated: [T, N].
        actions, log_probs, values_extrinsic, values_intrinsic: [T, N, ...] the decisions.
        memories: [T, N, M], what a recurrent policy remembers from then on.
    """

    first: Tensor
    observations: Tensor
    finals: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    actions: Tensor
    log_probs: Tensor
    values_extrinsic: Tensor
    values_intrinsic: Tensor
    memories: Tensor

    @property
    def ended(self) -> Tensor:
        """[T, N], where an episode ended."""
        return self.terminated | self.truncated

    @property
    def next_frames(self) -> Tensor:
        """[T, N, ...], what truly followed each step."""
        ended = self.ended.reshape(*self.ended.shape, *[1] * (self.finals.dim() - 2))
        return torch.where(ended, self.finals, self.observations)

    def columns(self, envs: slice) -> "Script":
        """Return the part of some environments."""
        parts = {field.name: getattr(self, field.name)[:, envs] for field in fields(self)[1:]}
        return Script(first=self.first[envs], **parts)

    def fill(self, rollout: RolloutBuffer, groups: Sequence[slice] | None = None) -> None:
        """Store all steps, group by group within a time, as a collector does."""
        for t in range(len(self.rewards)):
            for envs in groups or [slice(0, rollout.shape.num_envs)]:
                rollout.store_decision(
                    t,
                    envs,
                    self.actions[t, envs],
                    self.log_probs[t, envs],
                    self.values_extrinsic[t, envs],
                    self.values_intrinsic[t, envs],
                    self.memories[t, envs],
                )
                rollout.store_transition(
                    t,
                    envs,
                    self.observations[t, envs],
                    self.rewards[t, envs],
                    self.terminated[t, envs],
                    self.truncated[t, envs],
                    self.finals[t, envs],
                )


def draw_script(shape: RolloutShape, seed: int, end_probability: float = 0.25) -> Script:
    """Draw a script; an end is a termination, a truncation or, at times, both."""
    T, N = shape.rollout_steps, shape.num_envs
    generator = torch.Generator().manual_seed(seed)

    def normal(*axes: int) -> Tensor:
        return torch.randn(axes, generator=generator)

    def observations(*axes: int) -> Tensor:
        if shape.observation_dtype == torch.uint8:
            size = (*axes, *shape.observation_shape)
            return torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
        return 2.0 * normal(*axes, *shape.observation_shape) + 1.0

    ended = torch.rand(T, N, generator=generator) < end_probability
    kind = torch.randint(0, 5, (T, N), generator=generator)
    discrete = torch.randint(0, 3, (T, N), generator=generator)
    return Script(
        first=observations(N),
        observations=observations(T, N),
        finals=observations(T, N),
        rewards=normal(T, N),
        terminated=ended & (kind != 0) & (kind != 1),
        truncated=ended & (kind < 3),
        actions=normal(T, N, *shape.action_shape) if shape.action_shape else discrete,
        log_probs=-1.0 + 0.1 * normal(T, N),
        values_extrinsic=normal(T, N),
        values_intrinsic=normal(T, N),
        memories=normal(T, N, shape.memory_size),
    )


class DequeStacks:
    """The last S frames of every environment in a deque each, the first one repeated."""

    def __init__(self, first: Tensor, stack_size: int) -> None:
        self._frames = [deque([frame] * stack_size, stack_size) for frame in first.clone()]

    def input(self) -> Tensor:
        """[N, S * C, H, W] or [N, D], oldest first."""
        return torch.stack([torch.cat(list(frames)) for frames in self._frames])

    def push(self, observations: Tensor, ended: Tensor) -> None:
        """Take the next observations; where `ended`, they open an episode."""
        for frames, observation, over in zip(
            self._frames, observations.clone(), ended, strict=True
        ):
            frames.extend([observation] * (frames.maxlen if over else 1))  # type: ignore[operator] # bounded

    def input_after(self, frames: Tensor) -> Tensor:
        """What the input would be after `frames`, without taking them."""
        return torch.stack(
            [
                torch.cat([*list(stack)[1:], frame])
                for stack, frame in zip(self._frames, frames, strict=True)
            ]
        )


def stacked(script: Script, stacks: DequeStacks) -> tuple[Tensor, Tensor]:
    """Return the inputs at t = 0 .. T and those at the true next observations of t = 0 .. T-1.

    `stacks` stands at t = 0 and is moved on to t = T.
    """
    inputs, after = [stacks.input()], []
    for t in range(len(script.rewards)):
        after.append(stacks.input_after(script.next_frames[t]))
        stacks.push(script.observations[t], script.ended[t])
        inputs.append(stacks.input())
    return torch.stack(inputs), torch.stack(after)
