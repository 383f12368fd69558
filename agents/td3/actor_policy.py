"""TD3's actor and first critic as one module from what the environment shows: what others play."""

from torch import Tensor, nn

from agents.td3.td3_learner import TD3Learner


class ActorPolicy(nn.Module):
    """Observations s -> the actor's action π(s), and the first critic's value of it, Q_1(s, π(s)).

    Fujimoto et al. 2018, arXiv 1802.09477, algorithm 1.

    Args:
        learner: whose networks decide; they are shared with it.
        encoder: frozen, observations [B, ...] -> what the learner's backbone sees; None where that
            is what the environment shows.
    """

    def __init__(self, learner: TD3Learner, encoder: nn.Module | None) -> None:
        super().__init__()
        self.critic = learner.critic
        self.actor = learner.actor
        self.encoder = encoder

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions [B, A] within -1 and 1, and Q_1 [B] of them, for observations [B, ...]."""
        seen = observations if self.encoder is None else self.encoder(observations)
        features = self.critic.backbone(seen)
        actions = self.actor(features)
        return actions, self.critic.judge(features, seen, actions)[0]
