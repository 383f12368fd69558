"""Random network distillation: the bonus is how badly a trained network predicts a random one.

Burda et al. 2018, "Exploration by Random Network Distillation" (arXiv 1810.12894), section 2.2:
b(s') = ‖f̂(s'; θ) − f(s')‖² / D, on the observation that FOLLOWS the action.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from agents.intrinsic.reward_filter import RewardFilter
from agents.losses.moments import Moments, merge_all, moments_of
from agents.losses.rnd import masked_mean, prediction_error
from agents.networks.normalization import RunningMoments
from agents.ranks import Ranks

OBSERVATION_CLIP = 5.0  # section 2.4: whitened observations are clipped to [-5, 5]
CHUNK_SIZE = 1024  # samples of a rollout that pass the networks at once

FrameSource = Callable[[Tensor], Tensor]
"""Gives the next frames [B, ...] of samples [B]."""


class RandomNetworkDistillation(nn.Module):
    """Target, predictor, the whitening of their input and the scale of the bonus.

    Args:
        target: frozen random network, [B, ...] -> [B, D].
        predictor: trained network of the same input and output.
        observation_shape: shape of one frame or vector.
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the reward filter.
    """

    def __init__(
        self,
        target: nn.Module,
        predictor: nn.Module,
        observation_shape: tuple[int, ...],
        num_envs: int,
        gamma: float,
    ) -> None:
        super().__init__()
        self.target = target.requires_grad_(False)
        self.predictor = predictor
        self.observation_moments = RunningMoments(observation_shape)
        self.reward_filter = RewardFilter(num_envs, gamma)

    def whiten(self, frames: Tensor) -> Tensor:
        """Return clip((frames − mean) / std, −5, 5) under the current statistics, float32."""
        return self.observation_moments.normalize(frames, OBSERVATION_CLIP)

    @torch.no_grad()
    def observe(self, frames: FrameSource, samples: Tensor, ranks: Ranks) -> None:
        """Update the observation statistics with the next frames of `samples`, of all ranks."""
        parts = [moments_of(frames(chunk)) for chunk in samples.split(CHUNK_SIZE)]
        self.observation_moments.update(ranks.merge(merge_all(parts)))

    @torch.no_grad()
    def bonuses(self, frames: FrameSource, samples: Tensor) -> Tensor:
        """Return the raw bonus of each of `samples` [B] under the current statistics: [B]."""
        parts = []
        for chunk in samples.split(CHUNK_SIZE):
            inputs = self.whiten(frames(chunk))
            parts.append(prediction_error(self.predictor(inputs).float(), self._target(inputs)))
        return torch.cat(parts)

    @torch.no_grad()
    def targets(self, frames: FrameSource, samples: Tensor) -> Tensor:
        """Return the target's features of the next frames of `samples` [B]: [B, D]."""
        parts = [self._target(self.whiten(frames(chunk))) for chunk in samples.split(CHUNK_SIZE)]
        return torch.cat(parts)

    def loss(self, frames: Tensor, targets: Tensor, kept_total: Tensor) -> Tensor:
        """Return the predictor's loss on the kept samples.

        Args:
            frames: [K, ...] next frames of the samples kept by the mask.
            targets: [K, D] their target features.
            kept_total: scalar, the kept samples of all ranks divided by the number of ranks, so
                that the mean of all ranks' gradients is that of the joined batch.
        """
        predicted = self.predictor(self.whiten(frames)).float()
        return masked_mean(prediction_error(predicted, targets), kept_total)

    def moments(self) -> Moments:
        """Return the observation statistics as they stand."""
        return self.observation_moments.moments

    def _target(self, inputs: Tensor) -> Tensor:
        features: Tensor = self.target(inputs)
        return features.float()
