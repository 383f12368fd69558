"""Sums over the samples of all ranks, through which gradients flow back to all ranks.

For statistics within a loss or a network, which must be those of the joined batch. Everything here
is a collective of the default process group: all ranks must call it, in the same order, and all of
them must go back through it. Without a process group this process is the only rank.
"""

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float32
from torch import Tensor
from torch.autograd.function import FunctionCtx


class _GlobalSum(torch.autograd.Function):
    """The sum over ranks, received by all ranks: a symmetric map, so its own way back."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return _apply(gradient)


def _apply(x: Tensor) -> Tensor:
    total: Tensor = _GlobalSum.apply(x)  # type: ignore[no-untyped-call] # torch leaves it untyped
    return total


def global_sum(x: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Element-wise sum over all ranks, S = Σ_r x_r, differentiable on every rank.

        ∂(Σ_q L_q) / ∂x_r = Σ_q ∂L_q / ∂S

    The gradient is summed over ranks too, so that each rank gets that of the sum of all ranks'
    losses. DistributedDataParallel divides by the number of ranks W, and the mean of the losses is
    what is descended: where every rank computes the same global loss, each rank's part of its
    gradient arrives W-fold and the mean over ranks is right. A plain all-reduce would hide the sum
    from autograd: the terms of other ranks lost, the rest W times too small.

    Args:
        x: [...], of the same shape on all ranks; float32, since sums of bfloat16 lose samples.

    Returns:
        [...], equal on all ranks; x itself where this process is the only rank.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    return _apply(x)


def global_mean(
    x: Float32[Tensor, "B *shape"],
) -> tuple[Float32[Tensor, "*shape"], Float32[Tensor, ""]]:
    """Mean over the samples of all ranks, by one collective.

    Args:
        x: [B, *shape]; B may differ from rank to rank and be 0 on some.

    Returns:
        The mean, [*shape], and the number of samples N, a scalar without gradient.
    """
    count = x.new_full((1,), x.shape[0])  # no copy from the host, so no wait for the device
    total = global_sum(torch.cat([x.sum(dim=0).flatten(), count]))
    return (total[:-1] / total[-1].detach()).reshape(x.shape[1:]), total[-1].detach()


def global_deviations(
    x: Float32[Tensor, "B D"],
) -> tuple[Float32[Tensor, "B D"], Float32[Tensor, ""]]:
    """Return x minus its mean over the samples of all ranks, and their number N.

    Args:
        x: [B, D]; B may differ from rank to rank.
    """
    mean, count = global_mean(x)
    return x - mean, count


def global_standardize(
    x: Float32[Tensor, "B D"], epsilon: float
) -> tuple[Float32[Tensor, "B D"], Float32[Tensor, ""]]:
    """Batch normalisation without parameters, over the batch of all ranks.

        x̂ = (x - μ) / √(σ² + ε),    σ² = 1/N Σ (x - μ)²

    Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1. Two passes, so that a mean far from zero
    leaves the variance alone; a collective each.

    Args:
        x: [B, D]; B may differ from rank to rank.
        epsilon: ε.

    Returns:
        x̂, [B, D], and N, a scalar.
    """
    deviations, count = global_deviations(x)
    variance = global_sum(deviations.square().sum(dim=0)) / count
    return deviations * torch.rsqrt(variance + epsilon), count


def global_moments(
    x: Float32[Tensor, "B D"],
) -> tuple[Float32[Tensor, " D"], Float32[Tensor, " D"], Float32[Tensor, ""]]:
    """Mean and biased variance over the samples of all ranks, and their number N.

    Two passes, so that a mean far from zero leaves the variance alone; a collective each.

    Args:
        x: [B, D]; B may differ from rank to rank.
    """
    mean, count = global_mean(x)
    return mean, global_sum((x - mean).square().sum(dim=0)) / count, count


def global_weighted_mean(
    values: Float32[Tensor, "*shape"], weights: Float32[Tensor, "*shape"]
) -> Float32[Tensor, ""]:
    """Σ w x / Σ w over all elements of all ranks, by one collective; 0 where all weights are 0.

    Args:
        values: [...], x, carries the gradient; what has no weight has no influence, NaN neither.
        weights: [...], w, not negative, without gradient.

    Returns:
        A scalar, equal on all ranks.
    """
    weighted = torch.where(weights > 0, values * weights, 0.0).sum()
    total = global_sum(torch.stack([weighted, weights.sum()]))
    return total[0] / torch.where(total[1] > 0, total[1], 1.0).detach()


def global_masked_mean(
    values: Float32[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]
) -> Float32[Tensor, ""]:
    """Return the mean of the values that the mask keeps, over all ranks; see above."""
    return global_weighted_mean(values, mask.float())


def gather_samples(x: Float32[Tensor, "B D"]) -> tuple[Float32[Tensor, "N D"], int]:
    """Return the samples of all ranks, in the order of ranks, and where this rank's begin.

    Gradients flow back to the rank that a sample is of, summed over all ranks (see `global_sum`).

    Args:
        x: [B, D]; B may differ from rank to rank.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x, 0
    rank, counts = dist.get_rank(), x.new_zeros(dist.get_world_size())
    counts[rank] = x.shape[0]
    sizes = [int(size) for size in global_sum(counts).tolist()]
    start = sum(sizes[:rank])
    rest = sum(sizes) - start - x.shape[0]
    return global_sum(torch.nn.functional.pad(x, (0, 0, start, rest))), start
