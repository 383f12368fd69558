"""A model of one's own that remembers, in the place of the policy: see docs/extending.md."""

from typing import Any

import gymnasium
import torch
from torch import Tensor, nn


class CustomModel(nn.Module):
    """A layer, and an LSTM over it, from which policy and critic are read.

    Args:
        observation_space: what `forward` is given, without steps and batch.
        action_space: what is acted in.
        num_outputs: of `forward`'s first tensor: A logits, or 2A means and log deviations.
        custom_model_config: of the recipe; here `hidden`, and `num_values`, 2 with a bonus.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Box,
        action_space: gymnasium.Space[Any],
        num_outputs: int,
        custom_model_config: dict[str, Any],
    ) -> None:
        super().__init__()
        self.hidden = custom_model_config.get("hidden", 64)
        self.body = nn.Sequential(nn.Linear(observation_space.shape[0], self.hidden), nn.Tanh())
        self.memory = nn.LSTM(self.hidden, self.hidden)
        self.policy = nn.Linear(self.hidden, num_outputs)
        self.critic = nn.Linear(self.hidden, custom_model_config.get("num_values", 1))

    def get_initial_state(self) -> list[Tensor]:
        """Return what is remembered at an episode's start, without a batch: zeros."""
        return [torch.zeros(self.hidden), torch.zeros(self.hidden)]

    def forward(
        self, observations: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Go along L steps of B episodes, [L, B, S], after a state of two tensors [B, hidden].

        Returns:
            outputs [L, B, num_outputs], values [L, B], with a bonus [L, B, 2], and the state
            after the last step.
        """
        before = (state[0].unsqueeze(0), state[1].unsqueeze(0))
        remembered, (output, cell) = self.memory(self.body(observations), before)
        values = self.critic(remembered).squeeze(-1)
        return self.policy(remembered), values, [output.squeeze(0), cell.squeeze(0)]
