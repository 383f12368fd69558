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

from agents.networks.episode_runs import EpisodeRuns
from agents.networks.gru_steps import GRUSteps, keeps_of

MemoryKind = Literal["GRU", "LSTM"]


class RecurrentCore(nn.Module, ABC):
    """A recurrent layer that forgets where an episode begins.

    Its matrices start orthogonal, gate by gate, its biases at zero.

    Args:
        layer: torch's own, one layer of H units.

    Attributes:
        num_states: what a unit remembers, M / H numbers.
    """

    num_states: ClassVar[int]

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.layer = layer
        for parameter in layer.parameters():
            if parameter.dim() == 1:
                nn.init.zeros_(parameter)
                continue
            for gate in parameter.detach().split(layer.hidden_size):
                nn.init.orthogonal_(gate)

    @property
    def size(self) -> int:
        """H, the width of its output."""
        return self.layer.hidden_size

    @property
    def memory_size(self) -> int:
        """M."""
        return self.num_states * self.size

    def forward(
        self,
        features: Float[Tensor, "L B D"],
        memory: Float32[Tensor, "B M"],
        starts: Bool[Tensor, "L B"],
    ) -> Float32[Tensor, "L B H"]:
        """Go along sequences; what belongs to an episode is gone along by itself.

        Args:
            features: [L, B, D].
            memory: [B, M], before the first step; a constant: no gradient flows there.
            starts: [L, B], whether a step is the first of its episode, before which nothing is
                remembered.

        Returns:
            [L, B, H].
        """
        with torch.autocast(features.device.type, enabled=False):
            return self._along(features.float(), memory.detach(), starts)

    @abstractmethod
    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """Return the memory [B, M] after one more observation; its first H numbers are the output.

        Args:
            features: [B, D].
            memory: [B, M], zeros at the start of an episode.
        """

    def _along(self, features: Tensor, memory: Tensor, starts: Tensor) -> Tensor:
        """Go along sequences by torch's own layer, as a whole: it has fused kernels."""
        runs = EpisodeRuns.within(starts)
        outputs = self._unrolled(runs.lay_out(features), runs.before(memory))
        return runs.take_back(outputs)

    @abstractmethod
    def _unrolled(self, features: Tensor, memory: Tensor) -> Tensor:
        """Return outputs [L, R, H] of R runs, each of a single episode, after `memory` [R, M]."""

    def _products(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return what inputs and what the state say of all gates, [B, G * H] each."""
        of_inputs, of_state, bias, state_bias = self.layer.parameters()
        linear = nn.functional.linear
        return linear(features, of_inputs, bias), linear(state, of_state, state_bias)


class GRUCore(RecurrentCore):
    """A gated recurrent unit: Cho et al. 2014, arXiv 1406.1078, the reset gate after the product.

    Its memory is its output, M = H.

    Args:
        in_features: D.
        size: H.
    """

    num_states = 1

    def __init__(self, in_features: int, size: int) -> None:
        super().__init__(nn.GRU(in_features, size))

    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """r, z = σ(W x + U h + b)   n = tanh(W x + b + r (U h + c))   h' = (1 - z) n + z h."""
        of_inputs, of_state = self._products(features, memory)
        (x_r, x_z, x_n), (u_r, u_z, u_n) = of_inputs.chunk(3, dim=1), of_state.chunk(3, dim=1)
        candidate = torch.tanh(x_n + torch.sigmoid(x_r + u_r) * u_n)
        return torch.lerp(candidate, memory, torch.sigmoid(x_z + u_z))

    def _along(self, features: Tensor, memory: Tensor, starts: Tensor) -> Tensor:
        """On a CPU, where torch has no fused kernel, go step by step (see gru_steps)."""
        if features.is_cuda:
            return super()._along(features, memory, starts)
        weight, of_state, bias, state_bias = self.layer.parameters()
        of_inputs = nn.functional.linear(features, weight, bias)
        outputs: Tensor = GRUSteps.apply(  # type: ignore[no-untyped-call]
            of_inputs, memory, of_state, state_bias, keeps_of(starts)
        )
        return outputs

    def _unrolled(self, features: Tensor, memory: Tensor) -> Tensor:
        outputs: Tensor = self.layer(features, memory.unsqueeze(0))[0]
        return outputs


class LSTMCore(RecurrentCore):
    """A long short-term memory: Hochreiter and Schmidhuber 1997, Gers et al. 2000.

    Its memory is output and cell side by side, M = 2 H. The forget gate starts with a bias of 1
    (Jozefowicz et al. 2015, section 5): what is there is kept until there is a reason not to.

    Args:
        in_features: D.
        size: H.
    """

    num_states = 2

    def __init__(self, in_features: int, size: int) -> None:
        layer = nn.LSTM(in_features, size)
        super().__init__(layer)
        _, _, bias, _ = layer.parameters()
        nn.init.ones_(bias.detach()[size : 2 * size])

    def step(
        self, features: Float32[Tensor, "B D"], memory: Float32[Tensor, "B M"]
    ) -> Float32[Tensor, "B M"]:
        """i, f, o = σ(W x + U h + b)  g = tanh(W x + U h + b)  c' = f c + i g  h' = o tanh c'."""
        state, cell = memory.chunk(2, dim=1)
        of_inputs, of_state = self._products(features, state)
        i, f, g, o = (of_inputs + of_state).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=1)

    def _unrolled(self, features: Tensor, memory: Tensor) -> Tensor:
        state, cell = (part.contiguous() for part in memory.unsqueeze(0).chunk(2, dim=2))
        outputs: Tensor = self.layer(features, (state, cell))[0]
        return outputs


CORES: dict[MemoryKind, type[GRUCore] | type[LSTMCore]] = {"GRU": GRUCore, "LSTM": LSTMCore}
