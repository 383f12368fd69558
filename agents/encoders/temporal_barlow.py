"""A representation that foretells itself and wastes no feature, without a decoder.

Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230) where the second view is the future: what a
transition makes of features and action is to correlate with the features that follow, one by one
and not across. Between the two stands no projector, so that it is the features themselves which are
kept from being redundant.
"""

from typing import Self

import torch

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.objective import (
    DataShapes,
    Losses,
    Needs,
    Objective,
    Samples,
    frames_of,
    given,
)
from agents.encoders.transition import HIDDEN_SIZES, embedded
from agents.losses.barlow_twins import cross_correlation, redundancy_loss
from agents.networks.transition import ResidualTransition


class TemporalBarlow(Objective):
    """L = Barlow(z_t + f(z_t, a_t), z_{t+1}) over the batch of all ranks.

    Args:
        encoder: of frames.
        action_size: A numbers of an action, or choices.
        discrete_actions: whether actions are choices.
        lam: weight of the redundancy, λ of equation 1; relative to a small D it is larger than
            the paper's.
    """

    kind = "temporal_barlow"
    encoder: ConvolutionEncoder

    def __init__(
        self,
        encoder: ConvolutionEncoder,
        *,
        action_size: int,
        discrete_actions: bool,
        lam: float = 0.05,
    ) -> None:
        settings = {"action_size": action_size, "discrete_actions": discrete_actions, "lam": lam}
        super().__init__(encoder, settings)
        self.transition = ResidualTransition(encoder.feature_size, action_size, HIDDEN_SIZES)
        self._action_size, self._discrete, self._lam = action_size, discrete_actions, lam

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's frames and actions.

        Raises:
            ValueError: the dataset has no frames, or no actions.
        """
        frames = frames_of(shapes, cls.kind)
        if not shapes.action_size:
            raise ValueError(f"{cls.kind} needs actions, and the dataset has none")
        return cls(
            ConvolutionEncoder(frames, feature_size=shapes.feature_size),
            action_size=shapes.action_size,
            discrete_actions=shapes.discrete_actions,
        )

    @property
    def needs(self) -> Needs:
        """Frames, actions, and the frames that followed."""
        return Needs(("observations", "actions", "next_observations"))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return equation 1, and its part of foretelling."""
        del generator
        frames = (given(samples, "observations"), given(samples, "next_observations"))
        inputs = torch.cat([self.encoder.preprocessing(each) for each in frames])
        before, after = self.encoder.network(inputs).chunk(2)
        actions = embedded(given(samples, "actions"), self._action_size, discrete=self._discrete)
        correlation = cross_correlation(self.transition(before, actions), after)
        loss = redundancy_loss(correlation, self._lam)
        invariance = (1.0 - correlation.diagonal()).square().sum()
        return Losses(loss, {"loss": loss.detach(), "invariance": invariance.detach()})
