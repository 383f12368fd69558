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

    The state is the window: inputs of the last L steps [B, L, D + A] from position 0 on, how many
    there are [B], and what is known after the last one [B, H]. A step computes the window anew;
    once it is full, the oldest step falls out.

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
        counts = new(batch_size, dtype=torch.long)
        return (
            new(batch_size, self._length, self._input_size),
            counts,
            new(batch_size, self.feature_size),
        )

    def remember(self, inputs: Tensor, state: State) -> State:
        """Add a step to the window, and compute it."""
        window, counts, _ = state
        is_full = counts == self._length
        window = torch.where(is_full.view(-1, 1, 1), window.roll(-1, dims=1), window)
        places = torch.where(is_full, self._length - 1, counts)
        rows = torch.arange(len(window), device=window.device)
        window = window.index_put((rows, places), inputs)
        used = int(places.max()) + 1
        features: Tensor = self.transformer(window[:, :used])
        return window, places + 1, features[rows, places]

    def run(self, inputs: Tensor) -> tuple[Tensor, State]:
        """Run along sequences of at most L steps.

        Raises:
            ValueError: longer ones.
        """
        features: Tensor = self.transformer(inputs)
        B, T = inputs.shape[:2]
        window, counts, _ = self.initial_state(B)
        window = torch.cat([inputs, window[:, T:]], dim=1)
        return features, (window, counts + T, features[:, -1])

    def hidden(self, state: State) -> Tensor:
        """Return what is known after the last step."""
        return state[2]
