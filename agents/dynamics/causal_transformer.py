"""A transformer that says what follows from the last L steps."""

import torch
from torch import Tensor

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.latents import LatentEncoder
from agents.dynamics.prediction import SequenceTask, State
from agents.networks.causal_transformer import CausalTransformer

WIDTH, NUM_LAYERS, NUM_HEADS = 256, 6, 4
NUM_COMPONENTS = 1


class CausalTransformerDynamics(Dynamics):
    """Each step of [z, a] attends to itself and to those before it in the window.

    The state is what the window holds: inputs [B, L, D + A] and keys and values of all layers
    [B, layers, L, 2 H] from position 0 on, how many steps there are [B], and what is known after
    the last one [B, H]. A step computes itself alone. Where a window is full, its older half falls
    out and the rest is computed anew, at new positions: so a step knows L / 2 to L steps.

    Args:
        encoder, task, feature_size, num_components: as in Dynamics; the steps of a window are L.
        num_layers, num_heads: of the transformer.
    """

    kind = "causal_transformer"

    def __init__(
        self,
        encoder: LatentEncoder,
        task: SequenceTask,
        *,
        feature_size: int = WIDTH,
        num_components: int = NUM_COMPONENTS,
        num_layers: int = NUM_LAYERS,
        num_heads: int = NUM_HEADS,
    ) -> None:
        super().__init__(
            encoder,
            task,
            feature_size=feature_size,
            num_components=num_components,
            settings={"num_layers": num_layers, "num_heads": num_heads},
        )
        self._input_size = encoder.feature_size + task.action_size
        self._length = task.steps
        self._cache_shape = (num_layers, task.steps, 2 * feature_size)
        self.transformer = CausalTransformer(
            self._input_size,
            feature_size,
            num_layers=num_layers,
            num_heads=num_heads,
            length=task.steps,
        )

    def initial_state(self, batch_size: int) -> State:
        """Return an empty window, and zeros for what is known."""
        new = self.change_mean.new_zeros
        return (
            new(batch_size, self._length, self._input_size),
            new(batch_size, *self._cache_shape),
            new(batch_size, dtype=torch.long),
            new(batch_size, self.feature_size),
        )

    def remember(self, inputs: Tensor, state: State) -> State:
        """Add a step to the window."""
        window, cache, counts, _ = state
        is_full = counts == self._length
        if bool(is_full.any()):
            window, cache, counts = self._halved(window, cache, counts, is_full)
        rows = torch.arange(len(window), device=window.device)
        window = window.index_put((rows, counts), inputs)
        features, cache = self.transformer.step(inputs, cache, counts)
        return window, cache, counts + 1, features

    def run(self, inputs: Tensor) -> tuple[Tensor, State]:
        """Run along sequences of at most L steps.

        Raises:
            ValueError: longer ones.
        """
        features, keys_values = self.transformer(inputs)
        B, T = inputs.shape[:2]
        window, cache, counts, _ = self.initial_state(B)
        window = torch.cat([inputs, window[:, T:]], dim=1)
        cache = torch.cat([keys_values.float(), cache[:, :, T:]], dim=2)
        return features, (window, cache, counts + T, features[:, -1])

    def hidden(self, state: State) -> Tensor:
        """Return what is known after the last step."""
        return state[3]

    def _halved(
        self, window: Tensor, cache: Tensor, counts: Tensor, is_full: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Let the older half of full rows fall out, and compute the rest at its new positions.

        All rows are computed: the last bits of a row would hang on how many are full with it.
        """
        kept = self._length // 2
        recent = window[:, -kept:]
        _, keys_values = self.transformer(recent)
        halved = torch.cat([recent, window[:, kept:]], dim=1)
        later = torch.cat([keys_values.float(), cache[:, :, kept:]], dim=2)
        return (
            torch.where(is_full.view(-1, 1, 1), halved, window),
            torch.where(is_full.view(-1, 1, 1, 1), later, cache),
            torch.where(is_full, kept, counts),
        )
