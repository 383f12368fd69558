"""Which samples an update trains on, drawn beforehand so that ranks agree in one exchange."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from agents.ranks import Ranks

Partition = Callable[[int, torch.Generator], Sequence[Tensor]]
"""Deals all samples to that many minibatches, from a random stream: [B] each."""


@dataclass(frozen=True)
class MinibatchPlan:
    """One minibatch: samples, the part that trains the predictor, and the ranks' joint figures.

    Attributes:
        samples: [B] indices t * N + n.
        kept: [K] positions within `samples` that train the predictor.
        kept_total: scalar, kept samples of all ranks divided by the number of ranks.
        advantage_mean, advantage_std: scalars over the minibatch of all ranks.
    """

    samples: Tensor
    kept: Tensor
    kept_total: Tensor
    advantage_mean: Tensor
    advantage_std: Tensor


def samples_at_random(
    num_samples: int, num_minibatches: int, generator: torch.Generator
) -> Sequence[Tensor]:
    """Deal samples in a fresh random order; the sizes of minibatches differ by one at most."""
    order = torch.randperm(num_samples, generator=generator, device=generator.device)
    return order.tensor_split(num_minibatches)


def draw_minibatches(
    advantages: Tensor,
    partition: Partition | None = None,
    *,
    epochs: int,
    num_minibatches: int,
    predictor_share: float,
    generator: torch.Generator,
    ranks: Ranks,
) -> Iterator[MinibatchPlan]:
    """Draw all minibatches of an update.

    Args:
        advantages: [T * N], for the moments of each minibatch over all ranks.
        partition: deals the samples, anew for each epoch; None: at random.
        epochs: passes over the samples.
        num_minibatches: minibatches per epoch, as many on every rank, so that ranks enter
            collectives equally often.
        predictor_share: probability that a sample trains the predictor; at least one does.
        generator: this rank's stream.
        ranks: all ranks, for one collective over the whole plan.

    """
    device = advantages.device
    partition = partition or partial(samples_at_random, len(advantages))
    batches = [batch for _ in range(epochs) for batch in partition(num_minibatches, generator)]
    kept = [_draw_kept(len(batch), predictor_share, generator, device) for batch in batches]
    values = [advantages[batch].double() for batch in batches]
    sizes = [[len(batch) for batch in batches], [len(each) for each in kept]]
    counts = torch.tensor(sizes, dtype=torch.float64, device=device)
    sums = torch.stack([v.sum() for v in values])
    squares = torch.stack([v.square().sum() for v in values])
    count, kept_total, total, energy = ranks.sum(torch.stack([*counts, sums, squares]))
    mean = total / count
    std = (energy / count - mean.square()).clamp_min(0).sqrt()
    figures = torch.stack([kept_total / ranks.world_size, mean, std]).float().unbind(dim=1)
    for samples, positions, of_batch in zip(batches, kept, figures, strict=True):
        yield MinibatchPlan(samples, positions, *of_batch)


def _draw_kept(size: int, share: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw the kept positions of one minibatch; where chance keeps none, the luckiest stays.

    Differs from Burda et al. 2018, whose mask may be empty: an empty one would leave the predictor
    without a gradient on this rank.
    """
    draws = torch.rand(size, generator=generator, device=device)
    kept = (draws < share).nonzero().flatten()
    return kept if len(kept) else draws.argmin().reshape(1)
