"""What follows an observation under an action, in the features of an encoder that stands still.

The features are states, standardised, or the codes of a finished encoder of frames.
"""

from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from agents.encoders.encoder import Encoder, StateEncoder
from agents.encoders.objective import DataShapes, Losses, Needs, Objective, Samples, given
from agents.encoders.preprocessing import VectorPreprocessing
from agents.losses.global_sum import global_mean
from agents.networks.transition import ResidualTransition

HIDDEN_SIZES = (256, 256)


class Transition(Objective):
    """ŝ' = s + f(s, a), trained by the mean squared error of ŝ'.

    Args:
        encoder: of states, or of frames; frozen here.
        action_size: A numbers of an action, or choices.
        discrete_actions: whether actions are choices, which enter one-hot.

    Attributes:
        action_size: A.
    """

    kind = "transition"
    builds_on_encoder = True

    def __init__(self, encoder: Encoder, *, action_size: int, discrete_actions: bool) -> None:
        settings = {"action_size": action_size, "discrete_actions": discrete_actions}
        super().__init__(encoder, settings)
        encoder.requires_grad_(False).eval()
        self.transition = ResidualTransition(encoder.feature_size, action_size, HIDDEN_SIZES)
        self.action_size, self._discrete = action_size, discrete_actions

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the features of a finished encoder, or for the dataset's states.

        Raises:
            ValueError: the dataset has no states, or no actions; or the encoder has a memory.
        """
        if not shapes.action_size or not (shapes.state_size or shapes.finished):
            raise ValueError(f"{cls.kind} needs states and actions, and the dataset lacks them")
        if shapes.finished is not None and shapes.finished.initial_memory(1) is not None:
            raise ValueError(
                f"{cls.kind} foretells what one observation tells, and the FinishedEncoder has a "
                "memory; encode the dataset with it (--encode) and train on that"
            )
        return cls(
            shapes.finished or StateEncoder(VectorPreprocessing(shapes.state_size)),
            action_size=shapes.action_size,
            discrete_actions=shapes.discrete_actions,
        )

    @property
    def needs(self) -> Needs:
        """What was seen, the action, and what followed."""
        observed = self.encoder.observes
        return Needs((observed, "actions", f"next_{observed}"))

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as in torch
        """Set the mode of all but the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def fit(self, samples: Samples) -> None:
        """Take the statistics of states; a finished encoder keeps its own."""
        if isinstance(self.encoder, StateEncoder):
            super().fit(samples)

    def predict(self, features: Tensor, actions: Tensor) -> Tensor:
        """Return what follows features [B, D] under actions [B, A] or choices [B], as features."""
        following: Tensor = self.transition(
            features, embedded(actions, self.action_size, discrete=self._discrete)
        )
        return following

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the mean squared error of what follows."""
        del generator
        before, after = self._both(samples)
        errors = (self.predict(before, given(samples, "actions")) - after).square().mean(dim=1)
        error, _ = global_mean(errors)
        return Losses(error, {"prediction": error.detach()})

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Add R² of what follows, and the error as a multiple of that of "nothing changes".

        R² = 1 - Σ (ŝ' - s')² / Σ (s' - mean s')²: a feature counts as much as it varies.
        """
        before, after = self._both(samples)
        error = (self.predict(before, given(samples, "actions")) - after).square().mean()
        figures = {
            "transition/ratio_to_persistence": _ratio(error, (before - after).square().mean()),
            "transition/r2": 1.0 - _ratio(error, after.var(dim=0, correction=0).mean()),
        }
        return super().diagnose(samples) | figures

    @torch.no_grad()
    def _both(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the features before and after, [B, D] each."""
        before, _ = self.encoder.encode(self.observed(samples))
        after, _ = self.encoder.encode(given(samples, f"next_{self.encoder.observes}"))
        return before, after


def _ratio(error: Tensor, other: Tensor) -> Tensor:
    """Return error / other, 0 where there is nothing to foretell."""
    return torch.where(other > 0, error / torch.where(other > 0, other, 1.0), 0.0)


def embedded(actions: Tensor, action_size: int, *, discrete: bool) -> Tensor:
    """Return actions [B, A] as float32, choices [B] as one-hot vectors [B, A]."""
    return one_hot(actions, action_size).float() if discrete else actions.float()
