"""A world model in the space of features: a history, and what follows it under some actions.

Guo et al. 2022, arXiv 2206.08332. Axes: T steps, B sequences, A numbers of an action,
D features, M the size of a belief.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Float32, Num
from torch import Tensor, nn

from agents.networks.initialization import orthogonal_
from agents.networks.layers import FullPrecisionLinear, dense_layers


class WorldModel(nn.Module):
    """Encoder, a recurrent cell that sees observations, one that does not, and a predictor.

        b_t = h_c(b_{t-1}, [f(o_t), a_{t-1}])                        closed loop
        b_{t,0} = b_t,    b_{t,k} = h_o(b_{t,k-1}, a_{t+k-1})        open loop
        g(b_{t,k}) ≈ f_φ(o_{t+k})

    arXiv 2206.08332, the latent-predictive world model; φ, which follows θ slowly, is the owner's.
    Both cells compute in float32 whatever the precision around them: bfloat16 would lose the
    history step by step.

    Args:
        encoder: f, [B, ...] -> [B, D].
        feature_size: D.
        num_actions: A, the number of discrete actions or the width of a continuous one.
        discrete: whether actions are integers; they enter as one-hot vectors.
        belief_size: M.
        hidden_size: width of the predictor's hidden layer.
    """

    def __init__(
        self,
        encoder: nn.Module,
        feature_size: int,
        *,
        num_actions: int,
        discrete: bool,
        belief_size: int,
        hidden_size: int,
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.belief_size = belief_size
        self._discrete = discrete
        self.encoder = encoder
        self.closed_loop = nn.GRUCell(feature_size + num_actions, belief_size)
        self.open_loop = nn.GRUCell(num_actions, belief_size)
        self.predictor = nn.Sequential(
            dense_layers((belief_size, hidden_size), nn.ReLU()),
            orthogonal_(FullPrecisionLinear(hidden_size, feature_size), gain=1.0),
        )

    def embed_actions(self, actions: Num[Tensor, "T B *action"]) -> Float32[Tensor, "T B A"]:
        """Return actions [T, B] as one-hot vectors, or continuous ones [T, B, A] as they are."""
        if self._discrete:
            return nn.functional.one_hot(actions, self.num_actions).float()
        return actions.float()

    def track(
        self,
        features: Float[Tensor, "T B D"],
        previous_actions: Float32[Tensor, "T B A"],
        starts: Bool[Tensor, "T B"],
        belief: Float32[Tensor, "B M"],
    ) -> Float32[Tensor, "T B M"]:
        """Run the closed loop along sequences of observations.

        Args:
            features: [T, B, D], f(o_t).
            previous_actions: [T, B, A], a_{t-1}; not looked at where an episode starts.
            starts: [T, B], whether o_t is the first observation of an episode.
            belief: [B, M], b_{-1}; not looked at where o_0 starts an episode.

        Returns:
            [T, B, M], b_t.
        """
        with torch.autocast(features.device.type, enabled=False):
            kept = (~starts).unsqueeze(-1).float()
            inputs = torch.cat([features.float(), previous_actions * kept], dim=-1)
            beliefs = []
            for now, keep in zip(inputs.unbind(), kept.unbind(), strict=True):
                belief = self.closed_loop(now, belief * keep)
                beliefs.append(belief)
            return torch.stack(beliefs)

    def imagine(
        self,
        beliefs: Float32[Tensor, "T B M"],
        actions: Float32[Tensor, "T B A"],
        horizon: int,
    ) -> Iterator[Tensor]:
        """Run the open loop from all times at once, under the actions that were taken.

        Args:
            beliefs: [T, B, M], b_t.
            actions: [T, B, A], a_t.
            horizon: largest k.

        Yields:
            for k = 1 .. min(horizon, T): [T - k + 1, B, D], g(b_{t,k}) of those t for which
            a_{t+k-1} is given.
        """
        T, B, _ = beliefs.shape
        state = beliefs.flatten(0, 1)
        for k in range(min(horizon, T)):
            rows = (T - k) * B
            with torch.autocast(beliefs.device.type, enabled=False):
                state = self.open_loop(actions[k:].flatten(0, 1), state[:rows])
            yield self.predictor(state).unflatten(0, (T - k, B))
