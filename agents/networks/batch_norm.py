"""Batch normalisation over the batch of all ranks, on any backend."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.losses.global_sum import global_moments, global_standardize


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


class ImageBatchNorm(nn.Module):
    """Batch normalisation of feature maps, per channel, over the batch of all ranks.

        y = γ (x - μ) / √(σ² + ε) + β

    Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 2. In training mode μ and σ² are those of
    the batch (a collective), in evaluation mode the running ones, so that a single picture can be
    encoded. Differs from torch's: looking at a batch changes nothing; `update` moves the running
    statistics, once after each optimiser step.

    Args:
        channels: C.
        momentum: how far one batch moves the running statistics.
        eps: ε.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self._seen: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Normalise [B, C, H, W]; the statistics are float32, the result of the type of x."""
        mean, variance = self.running_mean, self.running_variance
        if self.training:
            rows = x.float().permute(0, 2, 3, 1).flatten(0, 2)
            mean, variance, count = global_moments(rows)
            unbiased = variance * (count / (count - 1.0).clamp(min=1.0))
            self._seen = (mean.detach(), unbiased.detach())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return torch.addcmul(shift.view(-1, 1, 1), x.float(), scale.view(-1, 1, 1)).to(x.dtype)

    @torch.no_grad()
    def update(self) -> None:
        """Move the running statistics towards those of the batch that was seen last."""
        if self._seen is not None:
            self.running_mean.lerp_(self._seen[0], self.momentum)
            self.running_variance.lerp_(self._seen[1], self.momentum)
            self._seen = None


def follow_batch(module: nn.Module) -> None:
    """Move the running statistics of all layers in a module, once after each optimiser step."""
    for layer in module.modules():
        if isinstance(layer, ImageBatchNorm):
            layer.update()
