"""A network that follows another one slowly: the target of BYOL."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


class SlowCopy(nn.Module):
    """An exponential moving average of a module.

        ξ ← m ξ + (1 - m) θ

    Grill et al. 2020, arXiv 2006.07733, equation 1. Buffers are averaged as well: statistics left
    at their start beside weights that move are a known fault. It runs in the mode (training or
    evaluation) of the module that it is part of, as the online module does.

    Weights are expected in float32: in bfloat16 most steps of 1 - m would round to nothing.

    Args:
        online: the module θ; it is copied, not kept.
    """

    def __init__(self, online: nn.Module) -> None:
        super().__init__()
        self.slow = copy.deepcopy(online).requires_grad_(False)
        self.slow.zero_grad(set_to_none=True)

    @torch.no_grad()
    def forward(self, *inputs: Any) -> Any:
        """Run the copy; what it returns carries no gradient."""
        return self.slow(*inputs)

    @torch.no_grad()
    def update(self, online: nn.Module, momentum: float) -> None:
        """Move towards `online`, after its optimiser step.

        Args:
            online: a module of the same structure, not its DistributedDataParallel wrapper.
            momentum: m; 1 stays, 0 copies.

        Raises:
            ValueError: the two have not the same parameters and buffers.
        """
        slow, new = _tensors(self.slow), _tensors(online)
        if slow.keys() != new.keys():
            names = ", ".join(sorted(slow.keys() ^ new.keys()))
            raise ValueError(f"the online module and its slow copy differ in structure: {names}")
        for name, tensor in slow.items():
            if tensor.is_floating_point():
                tensor.lerp_(new[name], 1.0 - momentum)
            else:
                tensor.copy_(new[name])


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def cosine_momentum(base: float, progress: float) -> float:
    """Momentum of a slow copy that comes to rest by the end of training.

        m = 1 - (1 - m_base) (cos(π k / K) + 1) / 2

    Grill et al. 2020, arXiv 2006.07733, section 3.3 (there τ).

    Args:
        base: m_base, the momentum at the start.
        progress: k / K, the share of training that is done; what lies beyond 1 counts as 1.
    """
    return 1.0 - (1.0 - base) * (math.cos(math.pi * min(progress, 1.0)) + 1.0) / 2.0
