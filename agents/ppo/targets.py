"""What a rollout teaches: advantages and returns of the reward's stream and of the bonus's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from agents.losses.returns import generalized_advantages
from agents.networks.recurrent_actor_critic import PolicyInput
from agents.rollout import RolloutBuffer

ValuesOf = Callable[[PolicyInput], tuple[Tensor, Tensor]]
"""Gives the extrinsic and the intrinsic value [B] of what the policy is shown."""


@dataclass(frozen=True)
class Discounting:
    """How the two streams are discounted and summed (see PPOSection and IntrinsicSection)."""

    gamma: float
    intrinsic_gamma: float
    gae_lambda: float
    extrinsic_coef: float
    intrinsic_coef: float
    reward_scale: float = 1.0
    bootstrap_truncations: bool = True


class Targets(NamedTuple):
    """What a rollout teaches, [T * N] each: the summed advantage and the two returns."""

    advantages: Tensor
    returns_extrinsic: Tensor
    returns_intrinsic: Tensor


class SampleTable(NamedTuple):
    """What learning needs of each sample but its observation, laid out so that one read gives it.

    Attributes:
        actions: [T * N] or [T * N, A].
        numbers: [5, T * N]; see `rows`.
    """

    actions: Tensor
    numbers: Tensor

    @classmethod
    def of(cls, rollout: RolloutBuffer, targets: Targets) -> "SampleTable":
        """Lay out a rollout and what it teaches."""
        numbers = (
            targets.advantages,
            rollout.log_probs.flatten(),
            rollout.values_extrinsic.flatten(),
            targets.returns_extrinsic,
            targets.returns_intrinsic,
        )
        return cls(rollout.actions.flatten(0, 1), torch.stack(numbers))

    def rows(self, samples: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the actions of samples [B], and advantages, log-probabilities, extrinsic values,
        extrinsic and intrinsic returns, [B] each.
        """
        numbers = self.numbers.index_select(1, samples)
        return self.actions.index_select(0, samples), numbers.unbind()


@torch.no_grad()
def compute_targets(
    rollout: RolloutBuffer, bonuses: Tensor, values_of: ValuesOf, discounting: Discounting
) -> Targets:
    """Return advantages and returns of both streams (GAE: Schulman et al. 2015, eq. 16).

    Args:
        rollout: T steps of N environments.
        bonuses: [T, N], scaled.
        values_of: the critics as they are now, for what followed the last step.
        discounting: of both streams.
    """
    done = rollout.terminated | rollout.truncated
    bootstraps = discounting.bootstrap_truncations
    final = rollout.terminated if bootstraps else done
    # The intrinsic return runs on through episode ends (Burda et al. 2018, section 2.3).
    discounts = _beside(
        discounting.gamma * (~final).float(),
        torch.full_like(bonuses, discounting.intrinsic_gamma),
    )
    traces = _beside(
        discounting.gae_lambda * (~done).float(), torch.full_like(bonuses, discounting.gae_lambda)
    )
    advantages = generalized_advantages(
        _beside(discounting.reward_scale * rollout.rewards, bonuses),
        _beside(rollout.values_extrinsic, rollout.values_intrinsic),
        _beside(*_next_values(rollout, values_of, at_cuts=bootstraps)),
        discounts,
        traces,
    )
    extrinsic, intrinsic = advantages.chunk(2, dim=1)
    summed = discounting.extrinsic_coef * extrinsic + discounting.intrinsic_coef * intrinsic
    return Targets(
        summed.flatten(),
        (extrinsic + rollout.values_extrinsic).flatten(),
        (intrinsic + rollout.values_intrinsic).flatten(),
    )


def _beside(extrinsic: Tensor, intrinsic: Tensor) -> Tensor:
    """Lay both streams [T, N] side by side, [T, 2 N], for one walk through time."""
    return torch.cat([extrinsic, intrinsic], dim=1)


def _next_values(
    rollout: RolloutBuffer, values_of: ValuesOf, *, at_cuts: bool
) -> tuple[Tensor, Tensor]:
    """Return both values [T, N] of what followed each step.

    The extrinsic one is taken at the true last observation where an episode was truncated, unless
    `at_cuts` says that nothing follows there; the intrinsic one at the observation that follows in
    the never-ending stream.
    """
    T, N = rollout.rewards.shape
    last = values_of(rollout.policy_input(T, slice(0, N)))
    extrinsic, intrinsic = (
        torch.cat([values[1:], end.unsqueeze(0)])
        for values, end in zip(
            (rollout.values_extrinsic, rollout.values_intrinsic), last, strict=True
        )
    )
    if at_cuts and len(cut := rollout.truncated_samples()):
        at_end, _ = values_of(rollout.final_policy_inputs(cut))
        extrinsic.view(-1)[cut] = at_end
    return extrinsic, intrinsic
