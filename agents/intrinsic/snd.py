"""Self-supervised network distillation: RND whose target is trained, to tell observations apart.

Pecháč et al. 2023, "Self-supervised network distillation" (arXiv 2302.11563), in the form SND-VIC:
the target learns by VICReg (arXiv 2105.04906) that two consecutive observations are much the same
and others are not; the predictor distils the target as it is now. The bonus is the distillation
error of the observation that FOLLOWS the action.

As in the paper's code: the pairs, without augmentation (some may be asked for), the weights, and
pixels over 255 instead of whitened ones. Differs from it:
- the bonus is of what followed the action, not of what it was chosen on, and is divided by RND's
  running deviation instead of being clipped to [0, 1];
- vectors, of which it has none, are whitened;
- the target trains on the samples that the plan keeps for the predictor, there on all;
- no pair spans two episodes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.intrinsic.base import Batch, Experience, IntrinsicReward, Sampler
from agents.intrinsic.whitening import CHUNK_SIZE, Whitening
from agents.losses.rnd import masked_mean, prediction_error
from agents.losses.vicreg import covariance_loss, invariance_loss, variance_loss
from agents.minibatches import MinibatchPlan
from agents.ranks import Ranks
from agents.representation.views import random_shift

# The paper's code: VICReg's own 25, 25 and 1, divided by 25.
INVARIANCE, VARIANCE, COVARIANCE = 1.0, 1.0, 1.0 / 25.0
LARGEST_PIXEL = 255.0


class PairBatch(NamedTuple):
    """The K samples that train target and predictor, scaled for the networks.

    Attributes:
        inputs: [K, ...] what followed the samples kept by the mask.
        neighbours: [K, ...] what came one step earlier, shifted or noisy if that is asked for.
        kept_total: scalar, the kept samples of all ranks divided by the number of ranks.
    """

    inputs: Tensor
    neighbours: Tensor
    kept_total: Tensor


class SelfSupervisedDistillation(IntrinsicReward):
    """A target and a predictor, both trained, the scale of their input and that of the bonus.

    Args:
        target: network, [B, ...] -> [B, D], trained by VICReg.
        predictor: network of the same input and output.
        input_shape: shape of one input: a frame [C, H, W] of 0 to 255, or a vector.
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the reward filter.
        shift: pixels by which the neighbouring frame is shifted at most, at random.
        noise: deviation of the noise on the scaled neighbour.

    Raises:
        ValueError: vectors are to be shifted.
    """

    def __init__(
        self,
        target: nn.Module,
        predictor: nn.Module,
        input_shape: tuple[int, ...],
        num_envs: int,
        gamma: float,
        *,
        shift: int = 0,
        noise: float = 0.0,
    ) -> None:
        super().__init__(num_envs, gamma)
        of_frames = len(input_shape) == 3
        if shift and not of_frames:
            raise ValueError(f"inputs of shape {input_shape} are no frames that could be shifted")
        self.target = target
        self.predictor = predictor
        self.observation_moments = None if of_frames else Whitening(input_shape)
        self.needs_warm_up = not of_frames
        self._shift = shift
        self._noise = noise

    def observe(self, experience: Experience, ranks: Ranks) -> None:
        """Update the statistics of vectors with what followed every step, on all ranks."""
        if self.observation_moments is not None:
            self.observation_moments.update_from(experience, ranks)

    @torch.no_grad()
    def raw_bonuses(self, experience: Experience) -> Tensor:
        """Return the distillation errors [T, N] under the current statistics."""
        parts = []
        for chunk in experience.samples.split(CHUNK_SIZE):
            scaled = self._scaled(experience.next_inputs(chunk))
            predicted, features = self.predictor(scaled).float(), self.target(scaled).float()
            parts.append(prediction_error(predicted, features))
        return torch.cat(parts).view_as(experience.rollout.rewards)

    def sampler(self, experience: Experience, generator: torch.Generator) -> Sampler:
        """Pair what followed the kept samples with what they started from; draw the second view."""

        def take(plan: MinibatchPlan) -> PairBatch:
            kept = plan.samples[plan.kept]
            before = experience.rollout.frames(kept)
            inputs = self._scaled(experience.next_inputs(kept))
            return PairBatch(inputs, self._view(before, generator), plan.kept_total)

        return take

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the predictor's mean error and the target's VICReg loss on a PairBatch.

        The one leaves the target alone and the other the predictor. The statistics within the
        second are those of the kept samples of all ranks, however many each of them has.
        """
        inputs, neighbours, kept_total = batch
        features = self.target(inputs).float()
        predicted = self.predictor(inputs).float()
        return {
            "predictor": masked_mean(prediction_error(predicted, features.detach()), kept_total),
            "target": _vicreg(features, self.target(neighbours).float()),
        }

    def metrics(self) -> dict[str, Tensor]:
        """Return the scale of the bonus, and of the input if that is whitened."""
        moments = self.observation_moments
        return super().metrics() | ({} if moments is None else moments.metrics())

    def _scaled(self, inputs: Tensor) -> Tensor:
        """Return frames [B, C, H, W] over 255, or vectors [B, D] whitened; float32."""
        if self.observation_moments is None:
            return inputs.float() / LARGEST_PIXEL
        whitened: Tensor = self.observation_moments(inputs)
        return whitened

    def _view(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        if self._shift:
            inputs = random_shift(inputs, generator, self._shift)
        scaled = self._scaled(inputs)
        if self._noise:
            draws = torch.randn(scaled.shape, generator=generator, device=scaled.device)
            scaled = scaled + self._noise * draws
        return scaled


def _vicreg(first: Tensor, second: Tensor) -> Tensor:
    """Bardes et al. 2022 (arXiv 2105.04906), equation 6, with the weights above; [K, D] each."""
    return (
        INVARIANCE * invariance_loss(first, second)
        + VARIANCE * (variance_loss(first) + variance_loss(second))
        + COVARIANCE * (covariance_loss(first) + covariance_loss(second))
    )
