"""The networks of TD3 and their slow copies."""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.func import functional_call

from agents.encoders.encoder import Encoder
from agents.networks.deterministic_actor import DeterministicActor
from agents.networks.twin_critic import TwinCritic
from agents.td3.foresight import Foresight


class Critic(nn.Module):
    """Both values of observations and actions, with the backbone that the values train.

    Args:
        backbone: observations [B, ...] -> features [B, D].
        twin: features, actions and what is foreseen side by side, [B, D + A + F] -> values [2, B].
        foresight: what follows the actions [B, F] by a model, which the critics see too, or None.
    """

    def __init__(
        self, backbone: nn.Module, twin: TwinCritic, foresight: Foresight | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.twin = twin
        self.foresight = foresight

    def forward(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values [2, B], and the features [B, D] without a gradient."""
        features = self.backbone(observations)
        return self.judge(features, observations, actions), features.detach()

    def judge(self, features: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        """Return both values [2, B]; `features` are those of the observations."""
        parts = [features, actions]
        if self.foresight is not None:
            parts.append(self.foresight(observations, actions))
        values: Tensor = self.twin(torch.cat(parts, dim=1))
        return values

    def first(self, features: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_1 [B], with a gradient to the actions and to no weight of the critic."""
        parts = [features, actions]
        if self.foresight is not None:
            fixed = {name: p.detach() for name, p in self.foresight.named_parameters()}
            parts.append(functional_call(self.foresight, fixed, (observations, actions)))
        return self.twin.first(torch.cat(parts, dim=1))


class TD3Learner(nn.Module):
    """Actor, critics, and slow copies of both.

    The critics' loss alone trains the backbone, and the actor acts on its features (Yarats et al.
    2019, arXiv 1910.01741): one backbone, that is computed once for both.

    Args:
        critic: its backbone is the actor's, too.
        actor: features [B, D] -> actions [B, A] within -1 and 1.
        autocast: bfloat16 where allowed, or None for plain float32.
        encoder: frozen; makes the observations, which are features then. None: they are what the
            environment shows.

    Attributes:
        gradient_steps: of the critics, so far.
    """

    gradient_steps: Tensor

    def __init__(
        self,
        critic: Critic,
        actor: DeterministicActor,
        autocast: torch.dtype | None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.critic = critic
        self.actor = actor
        self.slow_critic = copy.deepcopy(critic).requires_grad_(False)
        self.slow_actor = copy.deepcopy(actor).requires_grad_(False)
        self.encoder = encoder
        self.register_buffer("gradient_steps", torch.zeros((), dtype=torch.int64))
        self._autocast = autocast

    def precision(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context in which the networks compute."""
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(device.type, self._autocast)

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        """Return the actor's actions [n, A], float32, for observations [n, ...]."""
        with self.precision(observations.device):
            actions: Tensor = self.actor(self.critic.backbone(observations))
        return actions

    @torch.no_grad()
    def values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_1 [n] of observations [n, ...] and actions [n, A]."""
        with self.precision(observations.device):
            values, _ = self.critic(observations, actions)
        first: Tensor = values[0]
        return first

    def pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return the weights of the slow copies, and those that they follow, in the same order."""
        slow: list[Tensor] = []
        followed: list[Tensor] = []
        for copied, online in ((self.slow_critic, self.critic), (self.slow_actor, self.actor)):
            for behind, ahead in zip(copied.parameters(), online.parameters(), strict=True):
                if ahead.requires_grad:
                    slow.append(behind)
                    followed.append(ahead)
        return slow, followed

    def played_weights(self) -> dict[str, Tensor]:
        """Return what acting and judging takes, by name: all but slow copies and counters."""
        return {
            name: tensor
            for name, tensor in self.state_dict().items()
            if not name.startswith(("slow_", "gradient_steps"))
        }

    def load_played_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take over what `played_weights` returned of a learner of the same networks.

        Raises:
            KeyError: some are missing, or there are others.
            RuntimeError: of other shapes.
        """
        if differing := self.played_weights().keys() ^ weights.keys():
            raise KeyError(f"weights that one of both has not: {', '.join(sorted(differing))}")
        self.load_state_dict(weights, strict=False)
