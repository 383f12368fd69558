"""What every intrinsic reward is: a module that judges a rollout and is trained on it.

The learner and the agent know this interface alone. A new bonus is one file with one class
(docs/extending.md), and one line in training/building/bonuses.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.intrinsic.reward_filter import RewardFilter
from agents.minibatches import MinibatchPlan
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer

Inputs = Callable[[Tensor], Tensor]
"""Gives what a bonus looks at after the steps `samples` [B] (t * N + n): [B, ...]."""

Batch = tuple[Tensor, ...]
"""What one minibatch holds for a bonus; a NamedTuple of its own, of tensors only."""

Sampler = Callable[[MinibatchPlan], Batch]
"""Puts together a minibatch; made once for an update, so that it can share work among them."""


@dataclass(frozen=True)
class Experience:
    """A rollout, as an intrinsic reward sees it.

    Attributes:
        rollout: all that happened, [T, N, ...].
        next_inputs: what followed each step, the true last observation at an episode's end: frames
            [B, C, H, W], vectors [B, D], or the policy's features of them.
    """

    rollout: RolloutBuffer
    next_inputs: Inputs

    @property
    def samples(self) -> Tensor:
        """All samples in order, [T * N]."""
        return torch.arange(self.rollout.rewards.numel(), device=self.rollout.device)


class IntrinsicReward(nn.Module, ABC):
    """One kind of bonus: its networks, its statistics, its loss.

    An update calls, in this order: `raw_bonuses`, `scale`, `observe`, `sampler`, and then for each
    minibatch the sampler, `losses` (inside the learner's forward pass, under
    DistributedDataParallel: every parameter that is trained must take part) and `after_step`.
    What is drawn at random comes from the given generator; what ranks must agree on goes through
    `ranks`, equally often on all of them.

    Args:
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the scale.

    Attributes:
        needs_warm_up: whether `observe` keeps statistics, which random play is to seed.
    """

    needs_warm_up: bool = True

    def __init__(self, num_envs: int, gamma: float) -> None:
        super().__init__()
        self.reward_filter = RewardFilter(num_envs, gamma)

    @abstractmethod
    def raw_bonuses(self, experience: Experience) -> Tensor:
        """Return the bonus of each step, [T, N], without gradient, under the statistics so far."""

    @abstractmethod
    def sampler(self, experience: Experience, generator: torch.Generator) -> Sampler:
        """Return what makes the minibatches of one update."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return named scalars whose sum is minimised; one is called "predictor"."""

    def observe(self, experience: Experience, ranks: Ranks) -> None:
        """Update the statistics of the input, if there are any, with those of all ranks."""

    def scale(self, raw: Tensor, ranks: Ranks) -> Tensor:
        """Return the bonuses [T, N] that are learnt from: `raw` over their running deviation."""
        self.reward_filter.update(raw, ranks)
        return self.reward_filter.normalize(raw)

    def scaled(self, raw: Tensor) -> Tensor:
        """Return `raw` [T, N] under the scale as it is, to which nothing is added."""
        return self.reward_filter.normalize(raw)

    def after_step(self) -> None:
        """Move what follows the trained networks, after an optimiser step."""

    def metrics(self) -> dict[str, Tensor]:
        """Return scalars about the statistics, for the log."""
        return {"intrinsic/normalizer": self.reward_filter.moments.std}

    def start_episodes(self) -> None:
        """Forget what is known of the episodes under way: all environments begin new ones."""

    def rank_state(self) -> dict[str, Tensor]:
        """Return what belongs to this rank's environments, by name; the rest is `state_dict`."""
        return {"filter_sums": self.reward_filter.sums}

    def restore_rank_state(self, state: dict[str, Tensor]) -> None:
        """Lay out what `rank_state` returned."""
        for name, tensor in self.rank_state().items():
            tensor.copy_(state[name])
