"""The one module that ranks replicate: policy, bonus, head, and their losses."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.encoded_frames import EncodedRollout
from agents.encoders.encoder import Encoder
from agents.intrinsic.base import Batch, Experience, IntrinsicReward
from agents.losses.ppo import (
    approximate_kl,
    clip_fraction,
    clipped_surrogate_loss,
    clipped_value_loss,
    value_loss,
)
from agents.networks.distributions import ActionDistribution
from agents.networks.recurrent_actor_critic import PolicyInput, memory_size
from agents.ppo.policy_features import PolicyFeatures
from agents.recurrent.rollout import EncodedRecurrentRollout, RecurrentRollout
from agents.representation.representation import RepresentationLearning
from agents.representation.views import ViewPair
from agents.rollout import RolloutBuffer, RolloutShape


class Minibatch(NamedTuple):
    """B samples of a rollout, [B] each.

    `observations` are what the policy is shown of them: [B, S * C, H, W] or [B, D], or for a
    recurrent one `Sequences` of such. `advantages` are the two streams' weighted sum; `returns_*`
    are the values' targets. `intrinsic` is what the bonus trains on, `views` what the head does.
    """

    observations: PolicyInput
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    values_extrinsic: Tensor
    returns_extrinsic: Tensor
    returns_intrinsic: Tensor
    intrinsic: Batch | None
    views: ViewPair | None


@dataclass(frozen=True)
class LossWeights:
    """The numbers of the total loss: coefficients and clip ranges (see PPOSection)."""

    clip_range: float
    entropy: float
    value: float
    clip_value_loss: bool


class Learner(nn.Module):
    """Owns everything that is trained; its forward pass returns the named losses.

    Args:
        policy: observations, or sequences of them -> PolicyOutput.
        intrinsic: the bonus, or None for plain PPO.
        bonus_features: makes the policy's features the bonus's input; None = it sees the frames.
        representation: what trains the policy's backbone beside PPO, or None.
        weights: coefficients of the total loss.
        autocast: bfloat16 where allowed, or None for plain float32.
    """

    def __init__(
        self,
        policy: nn.Module,
        intrinsic: IntrinsicReward | None,
        bonus_features: PolicyFeatures | None,
        representation: RepresentationLearning | None,
        weights: LossWeights,
        autocast: torch.dtype | None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.intrinsic = intrinsic
        self.bonus_features = bonus_features
        self.representation = representation
        self.encoder = encoder
        self._weights = weights
        self._autocast = autocast

    def precision(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context in which the networks compute."""
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(device.type, self._autocast)

    def experience(self, rollout: RolloutBuffer) -> Experience:
        """Return a rollout as the bonus sees it."""
        if self.bonus_features is None:
            return Experience(rollout, rollout.next_frames)
        return Experience(rollout, self.bonus_features.inputs(rollout, self._backbone))

    def new_rollout(self, shape: RolloutShape, device: torch.device) -> RolloutBuffer:
        """Return an empty rollout that keeps what this policy sees, and what it remembers.

        The policy says how much that is: `shape.memory_size` need not.
        """
        shape = replace(shape, memory_size=memory_size(self.policy))
        remembers = shape.memory_size > 0
        if self.encoder is None:
            return (RecurrentRollout if remembers else RolloutBuffer)(shape, device)
        kind = EncodedRecurrentRollout if remembers else EncodedRollout
        return kind(self.encoder, shape, device)

    def tie(self) -> None:
        """Let the representation share the policy's backbone; call when the device is settled."""
        if self.representation is not None:
            self.representation.tie(self._backbone)

    def take_over(self, pretrained: RepresentationLearning) -> None:
        """Start from the backbone that pretraining made, and from its head if there is one here."""
        self._backbone.load_state_dict(pretrained.twin.state_dict())
        if self.representation is not None:
            self.representation.load_state_dict(pretrained.state_dict())
        if self.bonus_features is not None:
            self.bonus_features.start_from(self._backbone)

    def fold_gradients(self) -> dict[str, Tensor]:
        """After a backward pass: give the backbone the representation's gradient too."""
        if self.representation is None:
            return {}
        cosine = self.representation.fold_gradient(self._backbone)
        return {"representation/gradient_cosine": cosine}

    def after_step(self, progress: float) -> None:
        """After an optimiser step: move all that follows slowly."""
        if self.intrinsic is not None:
            self.intrinsic.after_step()
        if self.bonus_features is not None:
            self.bonus_features.after_step(self._backbone)
        if self.representation is not None:
            self.representation.after_step(progress)

    def diagnose(self, batch: Minibatch) -> dict[str, Tensor]:
        """Return how alive the representation is, on a minibatch."""
        if self.representation is None or batch.views is None:
            return {}
        with self.precision(batch.actions.device):
            return self.representation.diagnose(batch.views)

    @property
    def _backbone(self) -> nn.Module:
        return self.policy.get_submodule("backbone")

    def forward(self, batch: Minibatch, *, diagnose: bool = True) -> dict[str, Tensor]:
        """Return the total loss under "total", and its parts without gradient.

        Args:
            batch: what to learn from.
            diagnose: also return figures that are only watched.
        """
        with self.precision(batch.actions.device):
            losses = self._policy_losses(batch, diagnose=diagnose)
            total = losses.pop("weighted")
            if self.intrinsic is not None and batch.intrinsic is not None:
                of_bonus = self.intrinsic.losses(batch.intrinsic)
                losses |= of_bonus
                total = total + torch.stack(list(of_bonus.values())).sum()
            if self.representation is not None and batch.views is not None:
                losses["representation"] = self.representation(batch.views)
                total = total + self.representation.coef * losses["representation"]
        return {"total": total} | {name: loss.detach() for name, loss in losses.items()}

    def _policy_losses(self, batch: Minibatch, *, diagnose: bool) -> dict[str, Tensor]:
        """Schulman et al. 2017, equation 9, with one value loss per stream of reward."""
        weights = self._weights
        output = self.policy(batch.observations)
        log_prob = output.distribution.log_prob(batch.actions)
        policy = clipped_surrogate_loss(
            log_prob, batch.log_probs, batch.advantages, weights.clip_range
        )
        value_extrinsic = self._value_loss(output.value_extrinsic, batch)
        losses = {"policy": policy, "value_extrinsic": value_extrinsic}
        weighted = policy
        if weights.entropy:
            losses["entropy"] = output.distribution.entropy().mean()
            weighted = weighted - weights.entropy * losses["entropy"]
        weighted = weighted + weights.value * value_extrinsic
        if self.intrinsic is not None:
            losses["value_intrinsic"] = value_loss(output.value_intrinsic, batch.returns_intrinsic)
            weighted = weighted + weights.value * losses["value_intrinsic"]
        if diagnose:
            losses |= self._figures(output.distribution, log_prob, batch)
        return losses | {"weighted": weighted}

    def _value_loss(self, values: Tensor, batch: Minibatch) -> Tensor:
        if not self._weights.clip_value_loss:
            return value_loss(values, batch.returns_extrinsic)
        return clipped_value_loss(
            values, batch.values_extrinsic, batch.returns_extrinsic, self._weights.clip_range
        )

    @torch.no_grad()
    def _figures(
        self, distribution: ActionDistribution, log_prob: Tensor, batch: Minibatch
    ) -> dict[str, Tensor]:
        return {
            "entropy": distribution.entropy().mean(),
            "approx_kl": approximate_kl(log_prob, batch.log_probs),
            "clip_fraction": clip_fraction(log_prob, batch.log_probs, self._weights.clip_range),
        }
