"""A transformer in which a step sees itself and those before it.

Vaswani et al. 2017, arXiv 1706.03762, the decoder without its second attention; layers normalised
before and not after (Xiong et al. 2020, arXiv 2002.04745). No dropout: what is predicted must not
depend on luck.
"""

import math

import torch
from jaxtyping import Float, Float32, Int64
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

    def forward(
        self, x: Float[Tensor, "B T H"]
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H2"]]:
        """Map [B, T, H] to [B, T, H]; return the keys and values [B, T, 2 H] beside it."""
        queries, keys_values = self._project(x)
        keys, values = self._heads(keys_values).chunk(2, dim=1)
        seen = scaled_dot_product_attention(self._heads(queries), keys, values, is_causal=True)
        return self._finish(x, seen), keys_values

    def step(
        self,
        x: Float[Tensor, "B 1 H"],
        past: Float[Tensor, "B L H2"],
        places: Int64[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B 1 H"], Float[Tensor, "B L H2"]]:
        """Map one step; return keys and values with its own at its place.

        Args:
            x: [B, 1, H].
            past: [B, L, 2 H], keys and values of the steps before; what lies behind is not seen.
            places: [B], where the step stands in its sequence, below L.
        """
        queries, own = self._project(x)
        rows = torch.arange(len(x), device=x.device)
        past = past.index_put((rows, places), own.squeeze(1).to(past.dtype))
        keys, values = self._heads(past.to(queries.dtype)).chunk(2, dim=1)
        is_past = torch.arange(past.shape[1], device=x.device) <= places.unsqueeze(1)
        seen = scaled_dot_product_attention(
            self._heads(queries), keys, values, attn_mask=is_past[:, None, None]
        )
        return self._finish(x, seen), past

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the queries [B, T, H], and keys and values [B, T, 2 H]."""
        H = x.shape[-1]
        queries, keys_values = self.queries_keys_values(self.attention_norm(x)).split(
            (H, 2 * H), dim=-1
        )
        return queries, keys_values

    def _heads(self, x: Tensor) -> Tensor:
        """Return [B, T, k H] as [B, k heads, T, H / heads]."""
        size = self.attended.in_features // self._num_heads
        heads: Tensor = x.unflatten(-1, (-1, size)).transpose(1, 2)
        return heads

    def _finish(self, x: Tensor, seen: Tensor) -> Tensor:
        """Add what the heads saw [B, heads, T, H / heads], and the perceptron."""
        x = x + self.attended(seen.transpose(1, 2).flatten(2))
        following: Tensor = x + self.perceptron(self.perceptron_norm(x))
        return following


class CausalTransformer(nn.Module):
    """Inputs of up to L steps -> features of each step, with learned positions.

    Keys and values of all layers are [B, layers, T, 2 H].

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
        self.blocks = nn.ModuleList(CausalBlock(width, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self._set_start(num_layers)

    def forward(
        self, inputs: Float[Tensor, "B T I"]
    ) -> tuple[Float32[Tensor, "B T H"], Float[Tensor, "B layers T H2"]]:
        """Return features [B, T, H] of inputs [B, T, I], and keys and values of all layers.

        Features of step t know steps 0 to t. Inputs must be finite, fillings too: an attention of
        weight 0 to NaN is NaN.

        Raises:
            ValueError: more steps than there are positions.
        """
        T, L = inputs.shape[1], self.positions.shape[0]
        if T > L:
            raise ValueError(f"{T} steps came, and the transformer has positions for {L}")
        x, found = self.embedding(inputs) + self.positions[:T], []
        for block in self.blocks:
            x, keys_values = block(x)
            found.append(keys_values)
        return self.norm(x).float(), torch.stack(found, dim=1)

    def step(
        self,
        inputs: Float[Tensor, "B I"],
        past: Float[Tensor, "B layers L H2"],
        places: Int64[Tensor, " B"],
    ) -> tuple[Float32[Tensor, "B H"], Float[Tensor, "B layers L H2"]]:
        """Return the features of one step, and keys and values with its own at its place.

        Args:
            inputs: [B, I].
            past: [B, layers, L, 2 H], finite; of places before the step's own.
            places: [B], the step's position in its sequence, below L.
        """
        x, found = (self.embedding(inputs) + self.positions[places]).unsqueeze(1), []
        for block, before in zip(self.blocks, past.unbind(dim=1), strict=True):
            assert isinstance(block, CausalBlock)
            x, keys_values = block.step(x, before, places)
            found.append(keys_values)
        return self.norm(x).squeeze(1).float(), torch.stack(found, dim=1)

    def _set_start(self, num_layers: int) -> None:
        """Start as GPT-2 does: small weights, those that are added to x smaller with depth."""
        nn.init.normal_(self.positions, std=_START_DEVIATION)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                is_added = name.endswith(("attended", "perceptron.2"))
                depth = math.sqrt(2 * num_layers) if is_added else 1.0
                nn.init.normal_(module.weight, std=_START_DEVIATION / depth)
                nn.init.zeros_(module.bias)
