"""A model of one's own, in the place of the policy: see docs/extending.md."""

from typing import Any

import gymnasium
from torch import Tensor, nn


class CustomModel(nn.Module):
    """Two layers that policy and critic share.

    Args:
        observation_space: what `forward` is given, without the batch.
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
        self.body = nn.Sequential(
            nn.Linear(num_inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.policy = nn.Linear(hidden, num_outputs)
        self.critic = nn.Linear(hidden, num_values)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [B, num_outputs], and values [B], with a bonus [B, 2]."""
        features = self.body(observations)
        values = self.critic(features)
        if self.critic.out_features == 1:  # a squeeze of more than one is no graph of ONNX's
            values = values.squeeze(-1)
        return self.policy(features), values
