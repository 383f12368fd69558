"""Random network distillation: the bonus is how badly a trained network predicts a random one.

Burda et al. 2018, "Exploration by Random Network Distillation" (arXiv 1810.12894), section 2.2:
b(s') = ‖f̂(s'; θ) − f(s')‖² / D, on the observation that FOLLOWS the action.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.intrinsic.base import Batch, Experience, Inputs, IntrinsicReward, Sampler
from agents.intrinsic.whitening import CHUNK_SIZE, Whitening
from agents.losses.rnd import masked_mean, prediction_error
from agents.minibatches import MinibatchPlan
from agents.ranks import Ranks


class PredictorBatch(NamedTuple):
    """The K samples that train a predictor.

    Attributes:
        inputs: [K, ...] what followed the samples kept by the mask.
        targets: [K, D] the target's features of them.
        kept_total: scalar, the kept samples of all ranks divided by the number of ranks, so that
            the mean of all ranks' gradients is that of the joined batch.
    """

    inputs: Tensor
    targets: Tensor
    kept_total: Tensor


class RandomNetworkDistillation(IntrinsicReward):
    """Target, predictor, the whitening of their input and the scale of the bonus.

    Args:
        target: frozen random network, [B, ...] -> [B, D].
        predictor: trained network of the same input and output.
        input_shape: shape of one input: a frame, a vector, or the policy's features.
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the reward filter.
    """

    def __init__(
        self,
        target: nn.Module,
        predictor: nn.Module,
        input_shape: tuple[int, ...],
        num_envs: int,
        gamma: float,
    ) -> None:
        super().__init__(num_envs, gamma)
        self.target = target.requires_grad_(False)
        self.predictor = predictor
        self.observation_moments = Whitening(input_shape)

    def observe(self, experience: Experience, ranks: Ranks) -> None:
        """Update the input's statistics with what followed every step, on all ranks."""
        self.observation_moments.update_from(experience, ranks)

    @torch.no_grad()
    def raw_bonuses(self, experience: Experience) -> Tensor:
        """Return the prediction errors [T, N] under the current statistics."""
        errors = self.errors(experience.next_inputs, experience.samples)
        return errors.view_as(experience.rollout.rewards)

    @torch.no_grad()
    def errors(self, inputs: Inputs, samples: Tensor) -> Tensor:
        """Return the prediction error of each of `samples` [B]: [B]."""
        parts = []
        for chunk in samples.split(CHUNK_SIZE):
            whitened = self.observation_moments(inputs(chunk))
            parts.append(prediction_error(self.predictor(whitened).float(), self._target(whitened)))
        return torch.cat(parts)

    @torch.no_grad()
    def targets(self, inputs: Inputs, samples: Tensor) -> Tensor:
        """Return the target's features of `samples` [B]: [B, D]."""
        parts = [
            self._target(self.observation_moments(inputs(chunk)))
            for chunk in samples.split(CHUNK_SIZE)
        ]
        return torch.cat(parts)

    def sampler(self, experience: Experience, generator: torch.Generator) -> Sampler:
        """Compute the target's features once; a minibatch takes those of its kept samples."""
        features = self.targets(experience.next_inputs, experience.samples)

        def take(plan: MinibatchPlan) -> PredictorBatch:
            kept = plan.samples[plan.kept]
            return PredictorBatch(experience.next_inputs(kept), features[kept], plan.kept_total)

        return take

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the predictor's mean error on a PredictorBatch."""
        inputs, targets, kept_total = batch
        predicted = self.predictor(self.observation_moments(inputs)).float()
        return {"predictor": masked_mean(prediction_error(predicted, targets), kept_total)}

    def metrics(self) -> dict[str, Tensor]:
        """Return the scale of the bonus and of the input."""
        return super().metrics() | self.observation_moments.metrics()

    def _target(self, whitened: Tensor) -> Tensor:
        features: Tensor = self.target(whitened)
        return features.float()
