"""What remembers: a GRU or an LSTM over the features of a policy's observations.

A memory is one tensor [B, M], zeros before an episode's first observation. It is computed in
float32 whatever the precision around it: bfloat16 would lose it step by step.

Axes: L steps, B sequences, D features, H units, M numbers of a memory.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from agents.networks.recurrences import GRUSequence, LSTMSequence

MemoryKind = Literal["GRU", "LSTM"]


class RecurrentCore(nn.Module, ABC):
    """A recurrent layer that forgets where an episode begins.

    Args:
        in_features: D.
        size: H, the width of its output.
        bias: whether the state's own product has one.

    Attributes:
        num_gates: of a unit. num_states: what a unit remembers, M / H numbers.
    """

    num_gates: ClassVar[int]
    num_states: ClassVar[int]

    def __init__(self, in_features: int, size: int, *, bias: bool) -> None:
        super().__init__()
        self.size = size
        self.of_inputs = nn.Linear(in_features, self.num_gates * size)
        self.of_state = nn.Linear(size, self.num_gates * size, bias=bias)
        for layer in (self.of_inputs, self.of_state):
            for gate in layer.weight.detach().chunk(self.num_gates):
                nn.init.orthogonal_(gate)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    @property
    def memory_size(self) -> int:
        """M."""
        return self.num_states * self.size

    def forward(
        self,
        features: Float[Tensor, "L B D"],
        memory: Float32[Tensor, "B M"],
        starts: Bool[Tensor, "L B"],
    ) -> tuple[Float32[Tensor, "L B H"], Float32[Tensor, "B M"]]:
        """Go along sequences.

        Args:
            features: [L, B, D].
            memory: [B, M], before the first step; a constant: no gradient flows there.
            starts: [L, B], whether a step is the first of its episode, before which nothing is
                remembered.

        Returns:
            [L, B, H], and the memory after the last step, as a constant.
        """
        with torch.autocast(features.device.type, enabled=False):
            if len(starts) == 1:
                kept = memory.detach() * (~starts[0]).float().unsqueeze(1)
                after = self.step(features[0].float(), kept)
                return after[:, : self.size].unsqueeze(0), after.detach()
            kept = (~starts).float().unsqueeze(2)
            return self._walk(self.of_inputs(features.float()), kept, memory.detach())

    @abstractmethod
    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """Return the memory [B, M] after one more observation; its first H numbers are the output.

        Args:
            features: [B, D].
            memory: [B, M], zeros at the start of an episode.
        """

    @abstractmethod
    def _walk(self, of_inputs: Tensor, kept: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs [L, B, H] and the memory after them; see `recurrences`."""


class GRUCore(RecurrentCore):
    """A gated recurrent unit; its memory is its output, M = H.

    Args:
        in_features: D.
        size: H.
    """

    num_gates = 3
    num_states = 1

    def __init__(self, in_features: int, size: int) -> None:
        super().__init__(in_features, size, bias=True)

    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """Take one step; see `GRUSequence`."""
        x_r, x_z, x_n = self.of_inputs(features).chunk(3, dim=1)
        u_r, u_z, u_n = self.of_state(memory).chunk(3, dim=1)
        candidate = torch.tanh(x_n + torch.sigmoid(x_r + u_r) * u_n)
        return torch.lerp(candidate, memory, torch.sigmoid(x_z + u_z))

    def _walk(self, of_inputs: Tensor, kept: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        product = self.of_state
        states: Tensor = GRUSequence.apply(  # type: ignore[no-untyped-call]
            of_inputs, kept, memory, product.weight, product.bias
        )
        return states, states[-1].detach()


class LSTMCore(RecurrentCore):
    """A long short-term memory; its memory is output and cell side by side, M = 2 H.

    The forget gate starts with a bias of 1 (Jozefowicz et al. 2015, section 5): what is there is
    kept until there is a reason not to.

    Args:
        in_features: D.
        size: H.
    """

    num_gates = 4
    num_states = 2

    def __init__(self, in_features: int, size: int) -> None:
        super().__init__(in_features, size, bias=False)
        nn.init.ones_(self.of_inputs.bias.detach()[2 * size : 3 * size])

    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """Take one step; see `LSTMSequence`."""
        state, cell = memory.chunk(2, dim=1)
        o, i, f, g = (self.of_inputs(features) + self.of_state(state)).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=1)

    def _walk(self, of_inputs: Tensor, kept: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        state, cell = memory.chunk(2, dim=1)
        states, cells = LSTMSequence.apply(  # type: ignore[no-untyped-call]
            of_inputs, kept, state, cell, self.of_state.weight
        )
        return states, torch.cat([states[-1], cells[-1]], dim=1).detach()


CORES: dict[MemoryKind, type[GRUCore] | type[LSTMCore]] = {"GRU": GRUCore, "LSTM": LSTMCore}
