"""The one module under DistributedDataParallel: policy, bonus, and their losses on a minibatch."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.losses.ppo import (
    approximate_kl,
    clip_fraction,
    clipped_surrogate_loss,
    clipped_value_loss,
    value_loss,
)


class PredictorBatch(NamedTuple):
    """The K samples that train the predictor: next frames, target features, and the divisor."""

    frames: Tensor
    targets: Tensor
    kept_total: Tensor


class Minibatch(NamedTuple):
    """B samples of a rollout; all [B] but observations [B, S * C, H, W] or [B, D].

    `advantages` are the two streams' weighted sum; `returns_*` are the values' targets.
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    values_extrinsic: Tensor
    returns_extrinsic: Tensor
    returns_intrinsic: Tensor
    predictor: PredictorBatch | None


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
        policy: observations -> PolicyOutput.
        intrinsic: the bonus, or None for plain PPO.
        weights: coefficients of the total loss.
        autocast: bfloat16 where allowed, or None for plain float32.
    """

    def __init__(
        self,
        policy: nn.Module,
        intrinsic: RandomNetworkDistillation | None,
        weights: LossWeights,
        autocast: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.intrinsic = intrinsic
        self._weights = weights
        self._autocast = autocast

    def precision(self, device: torch.device) -> torch.autocast:
        """Return the context in which the networks compute."""
        return torch.autocast(device.type, self._autocast, enabled=self._autocast is not None)

    def forward(self, batch: Minibatch) -> dict[str, Tensor]:
        """Return the total loss under "total", and its parts and diagnostics without gradient."""
        with self.precision(batch.observations.device):
            losses = self._policy_losses(batch)
            total = losses.pop("weighted")
            if self.intrinsic is not None and batch.predictor is not None:
                losses["predictor"] = self.intrinsic.loss(*batch.predictor)
                total = total + losses["predictor"]
        return {"total": total} | {name: loss.detach() for name, loss in losses.items()}

    def _policy_losses(self, batch: Minibatch) -> dict[str, Tensor]:
        """Schulman et al. 2017, equation 9, with one value loss per stream of reward."""
        weights = self._weights
        output = self.policy(batch.observations)
        log_prob = output.distribution.log_prob(batch.actions)
        entropy = output.distribution.entropy().mean()
        policy = clipped_surrogate_loss(
            log_prob, batch.log_probs, batch.advantages, weights.clip_range
        )
        if weights.clip_value_loss:
            value_extrinsic = clipped_value_loss(
                output.value_extrinsic,
                batch.values_extrinsic,
                batch.returns_extrinsic,
                weights.clip_range,
            )
        else:
            value_extrinsic = value_loss(output.value_extrinsic, batch.returns_extrinsic)
        losses = {
            "policy": policy,
            "value_extrinsic": value_extrinsic,
            "entropy": entropy,
            "approx_kl": approximate_kl(log_prob, batch.log_probs),
            "clip_fraction": clip_fraction(log_prob, batch.log_probs, weights.clip_range),
        }
        weighted = policy - weights.entropy * entropy + weights.value * value_extrinsic
        if self.intrinsic is not None:
            losses["value_intrinsic"] = value_loss(output.value_intrinsic, batch.returns_intrinsic)
            weighted = weighted + weights.value * losses["value_intrinsic"]
        return losses | {"weighted": weighted}
