"""The policy and its two critics: one for the environment's reward, one for the bonus.

Burda et al. 2018, arXiv 1810.12894, section 2.3: two value heads, as the two streams have different
discounts and only the extrinsic one ends with the episode.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Num
from torch import Tensor, nn

from agents.networks.backbones import FrameBackbone, VectorBackbone
from agents.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian
from agents.networks.initialization import orthogonal_
from agents.networks.layers import FullPrecisionLinear

ACTION_GAIN = 0.01  # a nearly uniform first policy; as in the paper's code
RESIDUAL_GAIN = 0.1  # as in the paper's code


class PolicyOutput(NamedTuple):
    """What the policy says of B observations.

    Attributes:
        distribution: over the actions.
        value_extrinsic: [B], expected return of the environment's reward.
        value_intrinsic: [B], expected return of the bonus; zeros without an intrinsic head.
        memory: what a recurrent policy remembers after them; None without a memory.
    """

    distribution: ActionDistribution
    value_extrinsic: Float32[Tensor, " B"]
    value_intrinsic: Float32[Tensor, " B"]
    memory: Tensor | None = None


class ActionHead(nn.Module):
    """The last layer of the policy.

    A continuous policy's log standard deviation is a parameter of its own, not a function of the
    observation, and starts at 0 (Schulman et al. 2017, arXiv 1707.06347, section 6.1).
    """

    def __init__(self, in_features: int, num_actions: int, *, discrete: bool) -> None:
        super().__init__()
        self.linear = orthogonal_(FullPrecisionLinear(in_features, num_actions), ACTION_GAIN)
        self.log_std = None if discrete else nn.Parameter(torch.zeros(num_actions))

    def forward(self, features: Float[Tensor, "B D"]) -> ActionDistribution:
        """Map features [B, D] to a distribution over actions."""
        scores = self.linear(features)
        if self.log_std is None:
            return Categorical.from_logits(scores)
        return DiagonalGaussian.from_parameters(scores, self.log_std)


class ValueHeads(nn.Module):
    """The last layers of the two critics.

    Args:
        in_features: D.
        gain: of the start; 0 makes all values start at zero.
        intrinsic_head: False leaves the second critic out, so that no parameter is without
            gradient where there is no bonus.
    """

    def __init__(self, in_features: int, gain: float, *, intrinsic_head: bool) -> None:
        super().__init__()
        self.extrinsic = orthogonal_(FullPrecisionLinear(in_features, 1), gain)
        self.intrinsic = (
            orthogonal_(FullPrecisionLinear(in_features, 1), gain) if intrinsic_head else None
        )

    def forward(
        self, features: Float[Tensor, "B D"]
    ) -> tuple[Float32[Tensor, " B"], Float32[Tensor, " B"]]:
        """Map features [B, D] to the extrinsic and the intrinsic value, [B] each."""
        extrinsic = self.extrinsic(features).squeeze(-1)
        if self.intrinsic is None:
            return extrinsic, torch.zeros_like(extrinsic)
        return extrinsic, self.intrinsic(features).squeeze(-1)


class ResidualLayer(nn.Module):
    """x + relu(W x + b), nearly the identity at the start."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = orthogonal_(nn.Linear(features, features), RESIDUAL_GAIN)

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Map features [B, D] to [B, D]."""
        return features + torch.relu(self.linear(features))


class FrameActorCritic(nn.Module):
    """Policy and critics over one backbone, for stacked frames.

    A residual layer each stands between the backbone and the actor, and the backbone and the
    critics, as in `cnn_policy_param_matched.py` of the paper's code.

    Args:
        in_channels, height, width, conv_channels, third_kernel, hidden_size, feature_size: see
            FrameBackbone.
        num_actions: A, choices or dimensions.
        discrete: whether the actions are choices.
        value_init_gain: gain of the value heads' start.
        intrinsic_head: whether the critic of the bonus exists.
    """

    def __init__(
        self,
        in_channels: int,
        height: int,
        width: int,
        *,
        conv_channels: tuple[int, ...],
        third_kernel: int,
        hidden_size: int,
        feature_size: int,
        num_actions: int,
        discrete: bool,
        value_init_gain: float,
        intrinsic_head: bool,
    ) -> None:
        super().__init__()
        self.backbone = FrameBackbone(
            in_channels,
            height,
            width,
            conv_channels=conv_channels,
            third_kernel=third_kernel,
            hidden_size=hidden_size,
            feature_size=feature_size,
        )
        self.actor_layer = ResidualLayer(feature_size)
        self.critic_layer = ResidualLayer(feature_size)
        self.action_head = ActionHead(feature_size, num_actions, discrete=discrete)
        self.value_heads = ValueHeads(feature_size, value_init_gain, intrinsic_head=intrinsic_head)

    def forward(self, observation: Num[Tensor, "B C H W"]) -> PolicyOutput:
        """Judge stacked frames [B, C, H, W] of raw values 0 to 255."""
        features = self.backbone(observation)
        distribution = self.action_head(self.actor_layer(features))
        return PolicyOutput(distribution, *self.value_heads(self.critic_layer(features)))


class VectorActorCritic(nn.Module):
    """Separate policy and value networks, for state vectors; both critics share the latter.

    Args:
        scaling: lays vectors [B, S] on the scale of a network (see agents.networks.scaling).
        num_dimensions: S.
        hidden_sizes: layers of either network.
        num_actions: A, choices or dimensions.
        discrete: whether the actions are choices.
        value_init_gain: gain of the value heads' start.
        intrinsic_head: whether the critic of the bonus exists.
    """

    def __init__(
        self,
        scaling: nn.Module,
        num_dimensions: int,
        hidden_sizes: tuple[int, ...],
        *,
        num_actions: int,
        discrete: bool,
        value_init_gain: float,
        intrinsic_head: bool,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.policy_backbone = VectorBackbone(num_dimensions, hidden_sizes)
        self.value_backbone = VectorBackbone(num_dimensions, hidden_sizes)
        size = self.value_backbone.feature_size
        self.action_head = ActionHead(size, num_actions, discrete=discrete)
        self.value_heads = ValueHeads(size, value_init_gain, intrinsic_head=intrinsic_head)

    def forward(self, observation: Float[Tensor, "B S"]) -> PolicyOutput:
        """Judge state vectors [B, S]."""
        observation = self.scaling(observation)
        return self.judge(observation, observation)

    def judge(
        self, of_actor: Float[Tensor, "B S"], of_critic: Float[Tensor, "B S"]
    ) -> PolicyOutput:
        """Judge what the actor and what the critics see of one observation, [B, S], scaled."""
        distribution = self.action_head(self.policy_backbone(of_actor))
        return PolicyOutput(distribution, *self.value_heads(self.value_backbone(of_critic)))


class EncodedActorCritic(nn.Module):
    """Policy and critics on what an encoder makes of stacked frames.

    Args:
        backbone: frames [B, S * C, H, W] -> features [B, D].
        heads: judge the features.
        critic_backbone: the critics' own backbone; None: they share the actor's.
    """

    def __init__(
        self, backbone: nn.Module, heads: VectorActorCritic, critic_backbone: nn.Module | None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads
        self.critic_backbone = critic_backbone

    def forward(self, observation: Num[Tensor, "B C H W"]) -> PolicyOutput:
        """Judge stacked frames [B, S * C, H, W] as the environment shows them."""
        features = self.backbone(observation)
        if self.critic_backbone is None:
            return self.heads.judge(features, features)
        return self.heads.judge(features, self.critic_backbone(observation))
