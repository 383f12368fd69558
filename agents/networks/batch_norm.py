"""Batch normalisation over the batch of all ranks, on any backend."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.losses.global_sum import global_standardize


class GlobalBatchNorm(nn.Module):
    """Batch normalisation with the mean and the biased variance over the samples of all ranks.

        y = γ (x - μ) / √(σ² + ε) + β

    Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1. torch's own SyncBatchNorm needs GPUs.

    It has no running statistics: the heads that use it only ever see batches in training, so it
    computes the same in training and in evaluation mode, and a target network that is a slow copy
    runs as the online network does, with no buffers to fall behind.

    Every call is a collective, and so is its way back: all ranks call it, in the same order.

    Args:
        features: D.
        affine: whether γ and β are there; they start at 1 and 0.
        eps: ε.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, features: int, *, affine: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.features = features
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(features)) if affine else None

    def forward(self, x: Float[Tensor, "B D"]) -> Float32[Tensor, "B D"]:
        """Normalise [B, D] in float32, whatever the precision around it.

        B may differ from rank to rank. Of a single sample on all ranks together nothing but β is
        left.

        Raises:
            ValueError: D is not `features` (γ and β would broadcast silently).
        """
        if x.shape[1] != self.features:
            raise ValueError(f"{x.shape[1]} features where {self.features} are normalised")
        normalized, _ = global_standardize(x.float(), self.eps)
        if self.weight is None or self.bias is None:
            return normalized
        return normalized * self.weight + self.bias
