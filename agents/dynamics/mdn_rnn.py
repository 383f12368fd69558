"""The MDN-RNN of "World Models": an LSTM that says what follows as a mixture of Gaussians.

Ha and Schmidhuber 2018, arXiv 1803.10122, section 2.2 and appendix A.2.
"""

import torch
from torch import Tensor, nn

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.latents import LatentEncoder
from agents.dynamics.prediction import SequenceTask, State

HIDDEN_SIZE, NUM_COMPONENTS = 256, 5


class MDNRNN(Dynamics):
    """An LSTM over [z, a]; its output h is what is known. It computes in float32.

    The state is output and cell, [B, H] each.

    Args:
        encoder, task, feature_size, num_components: as in Dynamics.
    """

    kind = "mdn_rnn"

    def __init__(
        self,
        encoder: LatentEncoder,
        task: SequenceTask,
        *,
        feature_size: int = HIDDEN_SIZE,
        num_components: int = NUM_COMPONENTS,
    ) -> None:
        super().__init__(
            encoder,
            task,
            feature_size=feature_size,
            num_components=num_components,
            settings={},
        )
        self.lstm = nn.LSTM(encoder.feature_size + task.action_size, feature_size, batch_first=True)

    def initial_state(self, batch_size: int) -> State:
        """Return zeros."""
        zeros = self.change_mean.new_zeros(batch_size, self.feature_size)
        return zeros, zeros

    def remember(self, inputs: Tensor, state: State) -> State:
        """Take a step."""
        return self._run(inputs.unsqueeze(1), state)[1]

    def run(self, inputs: Tensor) -> tuple[Tensor, State]:
        """Run along sequences."""
        return self._run(inputs, self.initial_state(len(inputs)))

    def hidden(self, state: State) -> Tensor:
        """Return the LSTM's output."""
        return state[0]

    def _run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        start = tuple(part.unsqueeze(0).contiguous() for part in state)
        with torch.autocast(inputs.device.type, enabled=False):
            outputs, end = self.lstm(inputs.float(), start)
        return outputs, tuple(part.squeeze(0) for part in end)
