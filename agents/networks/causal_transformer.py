"""A transformer in which a step sees itself and those before it.

Vaswani et al. 2017, arXiv 1706.03762, the decoder without its second attention; layers normalised
before and not after (Xiong et al. 2020, arXiv 2002.04745). No dropout: what is predicted must not
depend on luck.
"""

import math

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

_START_DEVIATION = 0.02  # as in GPT-2
_WIDENING = 4  # of the two-layer perceptron, as in arXiv 1706.03762


class CausalBlock(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x)).

    Args:
        width: H.
        num_heads: heads of the attention; they divide H.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, _WIDENING * width), nn.GELU(), nn.Linear(_WIDENING * width, width)
        )

    def forward(self, x: Float[Tensor, "B T H"]) -> Float[Tensor, "B T H"]:
        """Map [B, T, H] to [B, T, H]."""
        parts = self.queries_keys_values(self.attention_norm(x)).chunk(3, dim=-1)
        queries, keys, values = (
            part.unflatten(-1, (self._num_heads, -1)).transpose(1, 2) for part in parts
        )
        seen = scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.attended(seen.transpose(1, 2).flatten(2))
        following: Tensor = x + self.perceptron(self.perceptron_norm(x))
        return following


class CausalTransformer(nn.Module):
    """Inputs of up to L steps -> features of each step, with learned positions.

    Args:
        input_size: I, numbers of a step.
        width: H.
        num_layers: blocks.
        num_heads: heads of each.
        length: L.

    Raises:
        ValueError: heads that do not divide the width.
    """

    def __init__(
        self, input_size: int, width: int, *, num_layers: int, num_heads: int, length: int
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"{num_heads} heads do not divide a width of {width}")
        self.embedding = nn.Linear(input_size, width)
        self.positions = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.Sequential(*(CausalBlock(width, num_heads) for _ in range(num_layers)))
        self.norm = nn.LayerNorm(width)
        self._set_start(num_layers)

    def forward(self, inputs: Float[Tensor, "B T I"]) -> Float32[Tensor, "B T H"]:
        """Return features [B, T, H] of inputs [B, T, I]; those of step t know steps 0 to t.

        Inputs must be finite, fillings too: an attention of weight 0 to NaN is NaN.

        Raises:
            ValueError: more steps than there are positions.
        """
        T, L = inputs.shape[1], self.positions.shape[0]
        if T > L:
            raise ValueError(f"{T} steps came, and the transformer has positions for {L}")
        features: Tensor = self.norm(self.blocks(self.embedding(inputs) + self.positions[:T]))
        return features.float()

    def _set_start(self, num_layers: int) -> None:
        """Start as GPT-2 does: small weights, those that are added to x smaller with depth."""
        nn.init.normal_(self.positions, std=_START_DEVIATION)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                is_added = name.endswith(("attended", "perceptron.2"))
                depth = math.sqrt(2 * num_layers) if is_added else 1.0
                nn.init.normal_(module.weight, std=_START_DEVIATION / depth)
                nn.init.zeros_(module.bias)
