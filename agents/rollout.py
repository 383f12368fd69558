"""One rollout of this rank: every frame once, as it came, and what happened after it.

Axes: T rollout length, N environments of this rank, S frames in the policy's input, B samples.
Time t = 0 .. T-1 are the steps; the observation at t = T opens the next rollout. Frames lie in rows
of one flat store: first S-1 time slots of history, then t = 0 .. T, then the true last observations
of episodes that ended. Stacks are put together when they are asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agents.minibatches import samples_at_random
from agents.networks.recurrent_actor_critic import PolicyInput


@dataclass(frozen=True)
class RolloutShape:
    """The sizes of a rollout.

    Attributes:
        rollout_steps: T. num_envs: N. stack_size: S (1 for vectors).
        observation_shape: [C, H, W] or [D] of one frame.
        observation_dtype: torch.uint8 for frames, torch.float32 for vectors.
        action_shape: () for discrete actions, (A,) for continuous ones.
        memory_size: M, numbers that the policy remembers; 0 without a memory.
    """

    rollout_steps: int
    num_envs: int
    stack_size: int
    observation_shape: tuple[int, ...]
    observation_dtype: torch.dtype
    action_shape: tuple[int, ...]
    memory_size: int = 0


@dataclass(frozen=True)
class CarriedState:
    """What one rollout hands to the next: the last S time slots of frames and the ages at t = T.

    `memory` [N, ...] is that of an encoder which has seen them (see EncodedRollout), or None, and
    `policy_memory` [N, M] that of a policy (see RecurrentRollout).
    """

    frames: Tensor
    ages: Tensor
    memory: Tensor | None = None
    policy_memory: Tensor | None = None

    @classmethod
    def from_named(cls, named: Mapping[str, Any]) -> "CarriedState":
        """Return what `named` was made of."""
        memories = (named.get(name) for name in ("memory", "policy_memory"))
        return cls(named["frames"], named["ages"], *memories)

    def named(self) -> dict[str, Tensor]:
        """Return its tensors by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


class RolloutBuffer:
    """Storage of a rollout on `device`; see the module's text for the axes.

    `bonuses` [T, N] are those that learning from it found, scaled; of no use before.
    """

    def __init__(self, shape: RolloutShape, device: torch.device) -> None:
        self.shape = shape
        self.device = device
        T, N, S = shape.rollout_steps, shape.num_envs, shape.stack_size
        self._num_time_rows = (S - 1 + T + 1) * N
        self._num_final = 0
        self._allocate_frames(self._num_time_rows + N)
        self._ages = torch.zeros(T + 1, N, dtype=torch.int64, device=device)
        self._final_rows = torch.full((T, N), -1, dtype=torch.int64, device=device)
        action_dtype = torch.float32 if shape.action_shape else torch.int64
        self.actions = torch.zeros(T, N, *shape.action_shape, dtype=action_dtype, device=device)
        self.log_probs = torch.zeros(T, N, device=device)
        self.values_extrinsic = torch.zeros(T, N, device=device)
        self.values_intrinsic = torch.zeros(T, N, device=device)
        self.rewards = torch.zeros(T, N, device=device)
        self.bonuses = torch.zeros(T, N, device=device)
        self.terminated = torch.zeros(T, N, dtype=torch.bool, device=device)
        self.truncated = torch.zeros(T, N, dtype=torch.bool, device=device)

    @property
    def num_bytes(self) -> int:
        """What it holds; more where many episodes end in one rollout, by their last frames."""
        held = (self._frames, self.bonuses, *self._arrays().values())
        return sum(tensor.nbytes for tensor in held)

    def start(self, observations: Tensor) -> None:
        """Open the first rollout with the observations [N, ...] of fresh episodes."""
        self._forget_ends()
        self._time_slots(0, 1).copy_(observations.unsqueeze(0))
        self._ages[0] = 0

    def carried_state(self) -> CarriedState:
        """Return a copy of what the next rollout starts from; valid after `carry_over`."""
        return CarriedState(
            self._time_slots(1 - self.shape.stack_size, 1).clone(), self._ages[0].clone()
        )

    def restore(self, state: CarriedState) -> None:
        """Start from what `carried_state` or an earlier rollout's `end_state` returned."""
        self._forget_ends()
        self._time_slots(1 - self.shape.stack_size, 1).copy_(state.frames)
        self._ages[0] = state.ages.to(self.device)

    def carry_over(self) -> None:
        """Open the next rollout: its t = 0 is this rollout's t = T, with its history."""
        self.restore(self.end_state())

    def end_state(self) -> CarriedState:
        """Return a copy of what the next rollout starts from; valid where this one is full."""
        T, S = self.shape.rollout_steps, self.shape.stack_size
        return CarriedState(self._time_slots(T + 1 - S, T + 1).clone(), self._ages[T].clone())

    def contents(self) -> dict[str, Tensor]:
        """Return all that a full rollout holds: views, valid until something is stored."""
        rows = self._num_time_rows + self._num_final
        return {"frames": self._frames[:rows], **self._arrays()}

    def restore_contents(self, contents: dict[str, Tensor]) -> None:
        """Hold what `contents` returned of a rollout of the same shape.

        Raises:
            ValueError: it is of another shape.
        """
        arrays, frames = self._arrays(), contents["frames"]
        wanted = {name: array.shape for name, array in arrays.items()}
        found = {name: contents[name].shape for name in arrays}
        num_final = len(frames) - self._num_time_rows
        if found != wanted or num_final < 0 or int(contents["final_rows"].max()) >= len(frames):
            raise ValueError("the rollout is of another shape")
        for name, array in arrays.items():
            array.copy_(contents[name])
        self._num_final = num_final
        if len(frames) > len(self._frames):
            self._allocate_frames(len(frames))
        self._frames[: len(frames)] = frames.to(self.device)

    def store_decision(
        self,
        t: int,
        envs: slice,
        actions: Tensor,
        log_probs: Tensor,
        values_extrinsic: Tensor,
        values_intrinsic: Tensor,
        memory: Tensor | None = None,
    ) -> None:
        """Keep what the policy chose at time t for the environments `envs` ([n] each).

        What it remembers is kept by rollouts of recurrent policies alone.
        """
        self.actions[t, envs] = actions
        self.log_probs[t, envs] = log_probs
        self.values_extrinsic[t, envs] = values_extrinsic
        self.values_intrinsic[t, envs] = values_intrinsic

    def store_transition(
        self,
        t: int,
        envs: slice,
        observations: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        final_observations: Tensor,
    ) -> None:
        """Keep what followed the actions of time t.

        Args:
            t: time in [0, T).
            envs: the environments these [n] rows belong to.
            observations: [n, ...] the next observations, after auto-reset.
            rewards: [n] the rewards to learn from.
            terminated, truncated: [n] bool, on the CPU.
            final_observations: [n, ...] the true last observations; read where an episode ended.

        From page-locked memory a GPU copies later: until something waits for the device, what is
        given must not change.
        """
        self._time_slots(t + 1, t + 2)[0, envs] = self._fetched(observations)
        self.rewards[t, envs] = self._fetched(rewards)
        self.terminated[t, envs] = self._fetched(terminated)
        self.truncated[t, envs] = self._fetched(truncated)
        ended = terminated | truncated
        if self.shape.stack_size > 1:  # alone in its stack, a frame is always of age 0
            age = (self._ages[t, envs] + 1).clamp_max(self.shape.stack_size - 1)
            self._ages[t + 1, envs] = age.masked_fill(self._fetched(ended), 0)
        if bool(ended.any()):
            where = ended.nonzero().flatten()
            self._store_final(t, where + envs.start, final_observations[where])

    def observation(self, t: int, envs: slice) -> Tensor:
        """Return the policy's input at time t: [n, S * C, H, W], oldest frame first, or [n, D].

        Without a stack it is a view, valid until time t is stored anew.
        """
        if self.shape.stack_size == 1:
            return self._time_slots(t, t + 1)[0, envs]
        env_indices = torch.arange(envs.start, envs.stop, device=self.device)
        return self._stacked(self._stack_rows(torch.full_like(env_indices, t), env_indices))

    def observations(self, samples: Tensor) -> Tensor:
        """Return the policy's inputs of samples [B], each an index t * N + n: [B, S * C, H, W]."""
        if self.shape.stack_size == 1:
            return self._gather(samples)
        N = self.shape.num_envs
        return self._stacked(self._stack_rows(samples // N, samples % N))

    def policy_input(self, t: int, envs: slice) -> PolicyInput:
        """Return what the policy judges at time t; valid as long as `observation`."""
        return self.observation(t, envs)

    def final_policy_inputs(self, samples: Tensor) -> PolicyInput:
        """Return what it judges at the true last observations of samples [K] that ended."""
        return self.final_observations(samples)

    def single_policy_inputs(self, samples: Tensor) -> PolicyInput:
        """Return what it judged at samples [B], each by itself."""
        return self.observations(samples)

    def policy_inputs(self, samples: Tensor, observations: Tensor) -> PolicyInput:
        """Return what it judges of a minibatch.

        Args:
            samples: [B], one of the parts that `partition` returned.
            observations: `observations(samples)`.
        """
        return observations

    def partition(self, num_minibatches: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Deal all samples, in a fresh random order, to minibatches; sizes differ by one at most.

        Args:
            num_minibatches: as many on every rank.
            generator: this rank's stream.
        """
        return samples_at_random(self.rewards.numel(), num_minibatches, generator)

    def positions(self, count: int, total: int, generator: torch.Generator) -> slice | Tensor:
        """Return where `count` of a minibatch's `total` samples lie, as if drawn at random."""
        return slice(count)  # their order is random

    def frames(self, samples: Tensor) -> Tensor:
        """Return the single frames [B, C, H, W] or vectors [B, D] that samples [B] started from."""
        N = self.shape.num_envs
        return self._gather(self._row(samples // N, samples % N))

    def next_frames(self, samples: Tensor) -> Tensor:
        """Return the frames that followed samples [B]: [B, C, H, W], the true last ones at ends."""
        return self._gather(self._next_rows(samples))

    def truncated_samples(self) -> Tensor:
        """Return the samples [K] (t * N + n) whose episode was cut without terminating."""
        cut = self.truncated & ~self.terminated
        return cut.flatten().nonzero().flatten()

    def final_observations(self, samples: Tensor) -> Tensor:
        """Return the policy's inputs at the true last observations of samples [K] that ended."""
        return self.next_observations(samples)

    def next_observations(self, samples: Tensor) -> Tensor:
        """Return the policy's inputs that followed samples [B], the true last ones at ends.

        None crosses an episode's end: the frames are S - 1 of the sample's own stack and the next.
        """
        N, S = self.shape.num_envs, self.shape.stack_size
        t, n = samples // N, samples % N
        steps_back = torch.arange(S - 1, 0, -1, device=self.device)
        reachable = torch.minimum(steps_back - 1, self._ages[t, n].unsqueeze(1))
        older = self._row(t.unsqueeze(1) - reachable, n.unsqueeze(1))
        newest = self._next_rows(samples).unsqueeze(1)
        return self._stacked(torch.cat([older, newest], dim=1))

    def _arrays(self) -> dict[str, Tensor]:
        """Everything of a fixed size, by name."""
        return {
            "ages": self._ages,
            "final_rows": self._final_rows,
            "actions": self.actions,
            "log_probs": self.log_probs,
            "values_extrinsic": self.values_extrinsic,
            "values_intrinsic": self.values_intrinsic,
            "rewards": self.rewards,
            "terminated": self.terminated,
            "truncated": self.truncated,
        }

    def _forget_ends(self) -> None:
        self._final_rows.fill_(-1)
        self._num_final = 0

    def _allocate_frames(self, num_rows: int) -> None:
        self._frames = torch.zeros(
            num_rows,
            *self.shape.observation_shape,
            dtype=self.shape.observation_dtype,
            device=self.device,
        )
        # index_select moves 8-byte words about six times faster than single bytes.
        flat = self._frames.view(num_rows, -1)
        whole_words = flat.shape[1] * flat.element_size() % 8 == 0
        self._words = flat.view(torch.int64) if whole_words else flat

    def _store_final(self, t: int, envs: Tensor, observations: Tensor) -> None:
        first = self._num_time_rows + self._num_final
        if first + len(envs) > len(self._frames):
            old = self._frames
            if old.is_cuda:  # of another stream's memory perhaps, which must not have it too soon
                old.record_stream(torch.cuda.current_stream(self.device))
            self._allocate_frames(2 * (first + len(envs)))
            self._frames[: len(old)] = old
        rows = torch.arange(first, first + len(envs), device=self.device)
        self._frames[rows] = self._fetched(observations)
        self._final_rows[t, self._fetched(envs)] = rows
        self._num_final += len(envs)

    def _fetched(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)

    def _time_slots(self, start: int, stop: int) -> Tensor:
        """View the frames of times [start, stop), start >= 1 - S, as [time, N, ...]."""
        N, history = self.shape.num_envs, self.shape.stack_size - 1
        rows = self._frames[(start + history) * N : (stop + history) * N]
        return rows.view(stop - start, N, *self.shape.observation_shape)

    def _row(self, t: Tensor, n: Tensor) -> Tensor:
        return (t + self.shape.stack_size - 1) * self.shape.num_envs + n

    def _stack_rows(self, t: Tensor, n: Tensor) -> Tensor:
        """Return rows [B, S] of the stacks at times t [B]; none reaches before its episode."""
        steps_back = torch.arange(self.shape.stack_size - 1, -1, -1, device=self.device)
        reachable = torch.minimum(steps_back, self._ages[t, n].unsqueeze(1))
        return self._row(t.unsqueeze(1) - reachable, n.unsqueeze(1))

    def _next_rows(self, samples: Tensor) -> Tensor:
        N = self.shape.num_envs
        t, n = samples // N, samples % N
        final = self._final_rows[t, n]
        return torch.where(final >= 0, final, self._row(t + 1, n))

    def _gather(self, rows: Tensor) -> Tensor:
        words = self._words.index_select(0, rows.flatten())
        frames = words.view(self.shape.observation_dtype)
        return frames.view(*rows.shape, *self.shape.observation_shape)

    def _stacked(self, rows: Tensor) -> Tensor:
        """Gather rows [B, S] and lay the S frames of a sample along their first axis."""
        return self._gather(rows).flatten(1, 2)
