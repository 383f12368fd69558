"""Pool + agent -> rollout."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from agents.ppo.acting import Decision
from agents.rollout import RolloutBuffer
from training.loop.stopwatch import Stopwatch
from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import EpisodeSummary, StepBatch

Policy = Callable[[Any], Decision]
"""Decides for what a policy is shown of n environments, a PolicyInput."""


def learning_reward(
    rewards: Tensor, terminated: Tensor, kind: Literal["raw", "sign", "goal"]
) -> Tensor:
    """Return what the agent learns from, [n]: raw rewards, their sign, or 1 where it terminated."""
    match kind:
        case "raw":
            return rewards
        case "sign":
            return rewards.sign()
        case "goal":
            return terminated.float()


class Collector:
    """Steps the environments of this rank with a policy and fills the rollout.

    With two groups of environments the policy acts on one while the other steps.

    Args:
        pool: the environments.
        rollout: where everything is kept; other collectors may fill others from the same pool, one
            after the other.
        reward_kind: the recipe's LearningReward.
        stopwatch: told the time until the policy's actions are there, as "act".
    """

    def __init__(
        self,
        pool: EnvironmentPool,
        rollout: RolloutBuffer,
        reward_kind: Literal["raw", "sign", "goal"],
        stopwatch: Stopwatch,
    ) -> None:
        self.rollout = rollout
        self._pool = pool
        self._reward_kind = reward_kind
        self._stopwatch = stopwatch
        self._groups = [pool.group(group) for group in range(pool.num_groups)]

    def start(self) -> None:
        """Reset all environments and open the first rollout."""
        self.rollout.start(torch.from_numpy(self._pool.reset()))

    def collect(
        self, policy: Policy, should_stop: Callable[[], bool]
    ) -> tuple[bool, list[EpisodeSummary]]:
        """Fill the rollout with T steps of every environment.

        Returns:
            whether the rollout is complete (False: `should_stop` said so on the way, and what was
            collected is of no use), and the episodes that ended.

        """
        T = self.rollout.shape.rollout_steps
        episodes: list[EpisodeSummary] = []
        for group in range(len(self._groups)):
            self._decide(0, group, policy)
        for t in range(T):
            stopping = should_stop()
            for group in range(len(self._groups)):
                with self._stopwatch.measure("wait"):
                    batch = self._pool.recv(group)
                self._store(t, group, batch)
                episodes.extend(batch.episodes)
                if t + 1 < T and not stopping:
                    self._decide(t + 1, group, policy)
            if stopping:
                return False, episodes
        return True, episodes

    def _decide(self, t: int, group: int, policy: Policy) -> None:
        envs = self._groups[group]
        with self._stopwatch.measure("act"):
            decision = policy(self.rollout.policy_input(t, envs))
            self.rollout.store_decision(t, envs, *decision)
            actions = decision.actions.cpu().numpy()  # a GPU has answered only when they are here
        self._pool.send(group, actions)

    def _store(self, t: int, group: int, batch: StepBatch) -> None:
        terminated = torch.from_numpy(batch.terminated)
        rewards = torch.from_numpy(batch.rewards)
        self.rollout.store_transition(
            t,
            self._groups[group],
            torch.from_numpy(batch.observations),
            learning_reward(rewards, terminated, self._reward_kind),
            terminated,
            torch.from_numpy(batch.truncated),
            torch.from_numpy(batch.final_observations),
        )
