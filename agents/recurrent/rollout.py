"""Rollouts of a policy that remembers: sequences, and what it remembered along them.

Kept is what the policy remembered before each observation, as it acted. Learning begins with what
it remembered at t = 0, a constant, and unrolls whole sequences; what follows the last step, and an
episode that was cut, are valued with what it remembered there. Axes as in rollout.py; M numbers of
a memory.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from agents.encoded_frames import EncodedRollout
from agents.networks.recurrent_actor_critic import Sequences
from agents.rollout import CarriedState, RolloutBuffer, RolloutShape


class RecurrentRollout(RolloutBuffer):
    """A rollout that also keeps memories [T + 1, N, M], and is learnt from by whole sequences.

    A memory is that after the last observation, also where an episode ended with it: what opens
    the next one is judged as a start, before which nothing is remembered.
    """

    def __init__(self, shape: RolloutShape, device: torch.device) -> None:
        super().__init__(shape, device)
        T, N = shape.rollout_steps, shape.num_envs
        self._memories = torch.zeros(T + 1, N, shape.memory_size, device=device)

    def start(self, observations: Tensor) -> None:
        """Open the first rollout; nothing is remembered."""
        super().start(observations)
        self._memories[0] = 0.0

    def carried_state(self) -> CarriedState:
        """Return what the next rollout starts from, with what is remembered by then."""
        return replace(super().carried_state(), policy_memory=self._memories[0].clone())

    def end_state(self) -> CarriedState:
        """Return that of t = T; nothing is remembered of episodes that ended."""
        T, N = self.rewards.shape
        going_on = ~self._starts(T, slice(0, N))
        return replace(super().end_state(), policy_memory=self._memories[T] * going_on.unsqueeze(1))

    def restore(self, state: CarriedState) -> None:
        """Start from there."""
        super().restore(state)
        assert state.policy_memory is not None
        self._memories[0] = state.policy_memory.to(self.device)

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
        """Keep what the policy chose, and what it remembers now; nothing, if it was not asked."""
        super().store_decision(t, envs, actions, log_probs, values_extrinsic, values_intrinsic)
        self._memories[t + 1, envs] = 0.0 if memory is None else memory

    def policy_input(self, t: int, envs: slice) -> Sequences:
        """Return sequences of one step."""
        starts = self._starts(t, envs).unsqueeze(0)
        return Sequences(self.observation(t, envs), self._memories[t, envs], starts)

    def final_policy_inputs(self, samples: Tensor) -> Sequences:
        """Return sequences of one step, with what was remembered when the episode was cut."""
        N = self.shape.num_envs
        memories = self._memories[samples // N + 1, samples % N]
        starts = torch.zeros_like(samples, dtype=torch.bool).unsqueeze(0)
        return Sequences(self.final_observations(samples), memories, starts)

    def single_policy_inputs(self, samples: Tensor) -> Sequences:
        """Return sequences of one step, with what was remembered as the policy acted."""
        t, n = samples // self.shape.num_envs, samples % self.shape.num_envs
        starts = self._all_starts()[t, n].unsqueeze(0)
        return Sequences(self.observations(samples), self._memories[t, n], starts)

    def policy_inputs(self, samples: Tensor, observations: Tensor) -> Sequences:
        """Return the T steps of each of a minibatch's environments."""
        envs = samples[: len(samples) // self.shape.rollout_steps]
        return Sequences(observations, self._memories[0, envs], self._all_starts()[:, envs])

    def partition(self, num_minibatches: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Deal environments at random; a minibatch is all steps of its own, by time.

        Sizes differ by one environment at most, in the same way on every rank.
        """
        T, N = self.rewards.shape
        times = torch.arange(T, device=self.device).unsqueeze(1)
        order = torch.randperm(N, generator=generator, device=self.device)
        return [(times * N + envs).flatten() for envs in order.tensor_split(num_minibatches)]

    def positions(self, count: int, total: int, generator: torch.Generator) -> Tensor:
        """Return positions that are drawn at random: samples lie by time."""
        return torch.randperm(total, generator=generator, device=self.device)[:count]

    def _starts(self, t: int, envs: slice) -> Tensor:
        """Return whether the observations of time t open an episode, [n].

        What is remembered at t = 0 says so by itself: it is zero there.
        """
        if t == 0:
            return torch.zeros_like(self.terminated[0, envs])
        return self.terminated[t - 1, envs] | self.truncated[t - 1, envs]

    def _all_starts(self) -> Tensor:
        """Return that of all times, [T, N]."""
        ended = self.terminated | self.truncated
        return torch.cat([torch.zeros_like(ended[:1]), ended[:-1]])

    def _arrays(self) -> dict[str, Tensor]:
        return {**super()._arrays(), "policy_memories": self._memories}


class EncodedRecurrentRollout(EncodedRollout, RecurrentRollout):
    """Features of a frozen encoder in the place of frames, and a policy's memory of them."""
