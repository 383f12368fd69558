"""Policy and critics that remember: a recurrent core between the backbone and the heads."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from agents.networks.actor_critic import ActionHead, PolicyOutput, ResidualLayer, ValueHeads
from agents.networks.recurrent_core import RecurrentCore


class Sequences(NamedTuple):
    """What a recurrent policy judges: B sequences of L steps, and what it remembered before them.

    Attributes:
        observations: [L * B, ...], all of the first step first.
        memory: [B, M], zeros where nothing is remembered.
        starts: [L, B] bool, whether a step is the first of its episode.
    """

    observations: Tensor
    memory: Tensor
    starts: Tensor


PolicyInput = Tensor | Sequences
"""What a policy judges: observations [B, ...], or with a memory what it remembers beside them."""


def num_rows(inputs: PolicyInput) -> int:
    """Return how many observations a policy is shown."""
    return len(inputs.observations if isinstance(inputs, Sequences) else inputs)


@runtime_checkable
class RecurrentPolicy(Protocol):
    """A policy that remembers, as a module of `Sequences`.

    Attributes:
        memory_size: M, numbers that it remembers of an episode.
    """

    @property
    def memory_size(self) -> int:
        """M."""

    def step(self, observations: Tensor, memory: Tensor) -> PolicyOutput:
        """Judge one observation [B, ...] of each of B episodes, after `memory` [B, M]."""


def memory_size(policy: nn.Module) -> int:
    """Return how many numbers a policy remembers; 0 without a memory."""
    return policy.memory_size if isinstance(policy, RecurrentPolicy) else 0


class RecurrentActorCritic(nn.Module):
    """Policy and critics over one backbone and one core; a residual layer each before the heads.

    That is `cnn_gru_policy_dynamics.py` of the code of Burda et al. 2018 (arXiv 1810.12894), but
    for a second dense layer in the backbone, and the reset gate, which stands before
    the product there.

    Args:
        scaling: lays observations on the scale of a network.
        backbone: observations [B, ...] -> features.
        trunk: features -> [B, D]; what a bonus or a head sees of the policy lies before it.
        core: remembers.
        num_actions: A, choices or dimensions.
        discrete: whether the actions are choices.
        value_init_gain: gain of the value heads' start.
        intrinsic_head: whether the critic of the bonus exists.
    """

    def __init__(
        self,
        scaling: nn.Module,
        backbone: nn.Module,
        trunk: nn.Module,
        core: RecurrentCore,
        *,
        num_actions: int,
        discrete: bool,
        value_init_gain: float,
        intrinsic_head: bool,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.backbone = backbone
        self.trunk = trunk
        self.core = core
        self.actor_layer = ResidualLayer(core.size)
        self.critic_layer = ResidualLayer(core.size)
        self.action_head = ActionHead(core.size, num_actions, discrete=discrete)
        self.value_heads = ValueHeads(core.size, value_init_gain, intrinsic_head=intrinsic_head)

    @property
    def memory_size(self) -> int:
        """M."""
        return self.core.memory_size

    def forward(self, sequences: Sequences) -> PolicyOutput:
        """Judge sequences: L * B rows in their order; after single steps with the memory then."""
        observations, memory, starts = sequences
        if len(starts) == 1:
            return self.step(observations, memory * ~starts[0].unsqueeze(1))
        features = self.features(observations).unflatten(0, starts.shape)
        return self._judge(self.core(features, memory, starts).flatten(0, 1), None)

    def step(self, observations: Tensor, memory: Tensor) -> PolicyOutput:
        """Judge one observation [B, ...] of each of B episodes, after `memory` [B, M]."""
        features = self.features(observations)
        with torch.autocast(features.device.type, enabled=False):
            after = self.core.step(features.float(), memory)
        return self._judge(after[:, : self.core.size], after)

    def features(self, observations: Tensor) -> Tensor:
        """Return what the core is shown of observations [B, ...], each by itself: [B, D]."""
        features: Tensor = self.trunk(self.backbone(self.scaling(observations)))
        return features

    def _judge(self, remembered: Float[Tensor, "B H"], memory: Tensor | None) -> PolicyOutput:
        distribution = self.action_head(self.actor_layer(remembered))
        extrinsic, intrinsic = self.value_heads(self.critic_layer(remembered))
        return PolicyOutput(distribution, extrinsic, intrinsic, memory)
