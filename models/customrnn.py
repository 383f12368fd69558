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
        self._build(observation_space.shape[0], num_outputs, **custom_model_config)

    def _build(
        self, num_inputs: int, num_outputs: int, *, hidden: int = 64, num_values: int = 1
    ) -> None:
        """Make the layers; what else the recipe says is refused: it is no argument."""
        self.hidden = hidden
        self.body = nn.Sequential(nn.Linear(num_inputs, hidden), nn.Tanh())
        self.memory = nn.LSTM(hidden, hidden)
        self.policy = nn.Linear(hidden, num_outputs)
        self.critic = nn.Linear(hidden, num_values)

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
        values = self.critic(remembered)
        if self.critic.out_features == 1:  # a squeeze of more than one is no graph of ONNX's
            values = values.squeeze(-1)
        return self.policy(remembered), values, [output.squeeze(0), cell.squeeze(0)]
