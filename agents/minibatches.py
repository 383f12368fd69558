"""Which samples an update trains on, drawn beforehand so that ranks agree in one exchange."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.ranks import Ranks


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


def draw_minibatches(
    advantages: Tensor,
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
        epochs: passes over the samples, each in a fresh random order.
        num_minibatches: minibatches per epoch; sizes differ by one sample at most, in the same
            way on every rank, so that ranks enter collectives equally often.
        predictor_share: probability that a sample trains the predictor; at least one does.
        generator: this rank's stream.
        ranks: all ranks, for one collective over the whole plan.

    """
    device, size = advantages.device, len(advantages)
    batches: list[Tensor] = []
    for _ in range(epochs):
        order = torch.randperm(size, generator=generator, device=device)
        batches.extend(order.tensor_split(num_minibatches))
    kept = [_draw_kept(len(batch), predictor_share, generator, device) for batch in batches]
    values = [advantages[batch].double() for batch in batches]
    local = torch.stack(
        [
            torch.stack([v.new_tensor(len(v)), v.sum(), v.square().sum(), v.new_tensor(len(k))])
            for v, k in zip(values, kept, strict=True)
        ]
    )
    count, total, squares, kept_total = ranks.sum(local).unbind(dim=1)
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt()
    for index, batch in enumerate(batches):
        yield MinibatchPlan(
            samples=batch,
            kept=kept[index],
            kept_total=(kept_total[index] / ranks.world_size).float(),
            advantage_mean=mean[index].float(),
            advantage_std=std[index].float(),
        )


def _draw_kept(size: int, share: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw the kept positions of one minibatch; where chance keeps none, the luckiest stays.

    Differs from Burda et al. 2018, whose mask may be empty: an empty one would leave the predictor
    without a gradient on this rank.
    """
    draws = torch.rand(size, generator=generator, device=device)
    kept = (draws < share).nonzero().flatten()
    return kept if len(kept) else draws.argmin().reshape(1)
