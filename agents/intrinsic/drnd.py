"""Distributional random network distillation: one predictor of many random networks at once.

Yang et al. 2024, "Exploration and Anti-Exploration with Distributional Random Network Distillation"
(arXiv 2401.09750), on the observation that FOLLOWS the action, whitened as in RND. The bonus is
that of agents/losses/drnd.py: how far the predictor is from the targets' mean, and an estimate of
how often it has been trained there.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from agents.intrinsic.base import Batch, Experience, Inputs, IntrinsicReward, Sampler
from agents.intrinsic.rnd import PredictorBatch
from agents.intrinsic.whitening import CHUNK_SIZE, Whitening
from agents.losses.drnd import distributional_bonus
from agents.losses.rnd import masked_mean, prediction_error
from agents.minibatches import MinibatchPlan
from agents.ranks import Ranks


class DistributionalNetworkDistillation(IntrinsicReward):
    """M frozen targets, their one predictor, the whitening of the input and the bonus's scale.

    Args:
        targets: M frozen random networks, [B, ...] -> [B, D] each; 10 in the paper.
        predictor: trained network of the same input and output.
        input_shape: shape of one input: a frame, a vector, or the policy's features.
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the reward filter.
        alpha: weight of the distance to the targets' mean; the rest is that of the count.

    Raises:
        ValueError: there are fewer than two targets, which have no spread.
    """

    def __init__(
        self,
        targets: Iterable[nn.Module],
        predictor: nn.Module,
        input_shape: tuple[int, ...],
        num_envs: int,
        gamma: float,
        alpha: float = 0.9,
    ) -> None:
        super().__init__(num_envs, gamma)
        self.targets = nn.ModuleList(targets).requires_grad_(False)
        if len(self.targets) < 2:
            raise ValueError(f"DRND wants two targets or more, not {len(self.targets)}")
        self.predictor = predictor
        self.observation_moments = Whitening(input_shape)
        self._alpha = alpha

    def observe(self, experience: Experience, ranks: Ranks) -> None:
        """Update the input's statistics with what followed every step, on all ranks."""
        self.observation_moments.update_from(experience, ranks)

    @torch.no_grad()
    def raw_bonuses(self, experience: Experience) -> Tensor:
        """Return the bonuses [T, N] under the current statistics.

        All targets see the rollout chunk by chunk: their features of all of it would be large.
        """
        parts = []
        for chunk in experience.samples.split(CHUNK_SIZE):
            whitened = self.observation_moments(experience.next_inputs(chunk))
            targets = torch.stack([target(whitened).float() for target in self.targets])
            predicted = self.predictor(whitened).float()
            parts.append(distributional_bonus(predicted, targets, self._alpha))
        return torch.cat(parts).view_as(experience.rollout.rewards)

    @torch.no_grad()
    def drawn_features(self, inputs: Inputs, samples: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one target for each of `samples` [B], uniformly; return its features: [B, D].

        Each target sees its own samples only, so that all of them cost one pass and not M.
        """
        shape, num_targets = samples.shape, len(self.targets)
        draws = torch.randint(num_targets, shape, generator=generator, device=samples.device)
        order = draws.argsort(stable=True)
        sizes = draws.bincount(minlength=num_targets).tolist()
        ordered = torch.cat(
            [
                target(self.observation_moments(inputs(chunk))).float()
                for target, own in zip(self.targets, samples[order].split(sizes), strict=True)
                for chunk in own.split(CHUNK_SIZE)
            ]
        )
        features = torch.empty_like(ordered)
        features[order] = ordered
        return features

    def sampler(self, experience: Experience, generator: torch.Generator) -> Sampler:
        """Draw every sample's target once; a minibatch takes the features of its kept samples.

        Differs from the paper's code, which draws anew whenever it meets a sample: within one
        update, all epochs fit a visit to the same draw.
        """
        features = self.drawn_features(experience.next_inputs, experience.samples, generator)

        def take(plan: MinibatchPlan) -> PredictorBatch:
            kept = plan.samples[plan.kept]
            return PredictorBatch(experience.next_inputs(kept), features[kept], plan.kept_total)

        return take

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the predictor's mean error on a PredictorBatch of drawn targets."""
        inputs, drawn, kept_total = batch
        predicted = self.predictor(self.observation_moments(inputs)).float()
        return {"predictor": masked_mean(prediction_error(predicted, drawn), kept_total)}

    def metrics(self) -> dict[str, Tensor]:
        """Return the scale of the bonus and of the input."""
        return super().metrics() | self.observation_moments.metrics()
