"""Several ranks equal one process on the joined batch: statistics, losses and heads."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from agents.losses.barlow_twins import cross_correlation, redundancy_loss
from agents.losses.byol import regression_loss
from agents.losses.global_sum import global_mean
from agents.losses.vicreg import covariance_loss, invariance_loss, variance_loss
from agents.networks.batch_norm import GlobalBatchNorm
from agents.networks.projectors import ExpanderProjector, Projector
from agents.networks.slow_copy import SlowCopy
from agents.ranks import Ranks
from tests.ranks import run_in_ranks

pytestmark = pytest.mark.timeout(300)  # the first test of a world starts its ranks

UNEQUAL = (5, 8, 1)  # samples of each rank
EQUAL = (6, 6, 6)
D = 4


class Outcome(NamedTuple):
    """A loss, and its gradient by both views and by the parameters."""

    value: Tensor
    by_views: list[Tensor]
    by_parameters: list[Tensor]


Results = list[dict[str, Outcome]]


class PairLoss(nn.Module):
    """A loss without parameters of two views."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.loss(first, second)


class Normalized(nn.Module):
    """This rank's share of a sum in which every normalised number has a weight of its own."""

    def __init__(self, *, affine: bool) -> None:
        super().__init__()
        self.norm = GlobalBatchNorm(D, affine=affine)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        y: Tensor = self.norm(x)
        return (y.square() * weights).sum()


class Heads(nn.Module):
    """Both heads, as a learner has them: one loss of the global batch, one of a rank's samples."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.expander = ExpanderProjector(D, (8, 8, 5))
        self.projector = Projector(D, 8, 5)
        self.predictor = Projector(5, 8, 5)
        self.slow = SlowCopy(self.projector)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        correlation = cross_correlation(self.expander(first), self.expander(second))
        prediction = self.predictor(self.projector(first))
        redundancy = redundancy_loss(correlation, 0.1)
        return redundancy + regression_loss(prediction, self.slow(second))


# Every rank has the same loss of the joined batch.
GLOBAL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "barlow twins": lambda one, two: redundancy_loss(cross_correlation(one, two), 0.3),
    "variance": lambda one, two: variance_loss(0.3 * one) + variance_loss(0.3 * two),
    "covariance": lambda one, two: covariance_loss(one) + covariance_loss(two),
    "invariance": invariance_loss,
}
NORMS = {"norm": True, "norm without parameters": False}


def views(world_size: int, sizes: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
    """Two views of each rank's samples, correlated, each rank's about a mean of its own."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for rank, size in enumerate(sizes[:world_size]):
        first = torch.randn(size, D, generator=generator) + 3.0 * rank
        parts.append((first, first + 0.5 * torch.randn(size, D, generator=generator)))
    return parts


def joined(world_size: int, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    first, second = zip(*views(world_size, sizes), strict=True)
    return torch.cat(first), torch.cat(second)


def outcome(module: nn.Module, pair: tuple[Tensor, Tensor]) -> Outcome:
    """What autograd makes of the loss on this rank."""
    first, second = (view.clone().requires_grad_() for view in pair)
    loss: Tensor = module(first, second)
    torch.autograd.backward([loss])
    by_views = [view.grad for view in (first, second) if view.grad is not None]
    by_parameters = [p.grad for p in module.parameters() if p.grad is not None]
    return Outcome(loss.detach(), by_views, by_parameters)


def all_outcomes(ranks: Ranks) -> dict[str, Outcome]:
    """What every rank does."""
    pair = views(ranks.world_size, UNEQUAL)[ranks.rank]
    equal_pair = views(ranks.world_size, EQUAL)[ranks.rank]
    mean, count = global_mean(pair[0])
    return (
        {name: outcome(PairLoss(loss), pair) for name, loss in GLOBAL_LOSSES.items()}
        | {name: outcome(Normalized(affine=affine), pair) for name, affine in NORMS.items()}
        | {"heads": outcome(DistributedDataParallel(Heads()), equal_pair)}
        | {"mean": Outcome(mean, [count], [])}
    )


@pytest.fixture(
    scope="module",
    params=[2, pytest.param(3, marks=pytest.mark.slow)],
    ids=["two ranks", "three ranks"],
)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What each rank of a world returned."""
    folder: Path = tmp_path_factory.mktemp("ranks")
    return run_in_ranks(all_outcomes, request.param, folder)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GLOBAL_LOSSES)
def test_a_global_loss_is_that_of_the_joined_batch_in_value_and_gradient(
    results: Results, name: str
) -> None:
    """Each rank's gradient arrives W-fold: the mean over ranks makes up for that."""
    expected = outcome(PairLoss(GLOBAL_LOSSES[name]), joined(len(results), UNEQUAL))
    for result in results:
        assert torch.equal(result[name].value, results[0][name].value)
        assert_close(result[name].value, expected.value)
    for view, gradient in enumerate(expected.by_views):
        assert gradient.abs().max() > 1e-3
        parts = [result[name].by_views[view] for result in results]
        assert_close(torch.cat(parts) / len(results), gradient)


@pytest.mark.parametrize("name", NORMS)
def test_normalised_batches_are_those_of_the_joined_one_in_value_and_gradient(
    results: Results, name: str
) -> None:
    """Losses of a rank's own, so a gradient is that of their sum."""
    expected = outcome(Normalized(affine=NORMS[name]), joined(len(results), UNEQUAL))
    outcomes = [result[name] for result in results]
    assert_close(torch.stack([one.value for one in outcomes]).sum(), expected.value)
    for view, gradient in enumerate(expected.by_views):
        assert_close(torch.cat([one.by_views[view] for one in outcomes]), gradient)
    assert len(expected.by_parameters) == (2 if NORMS[name] else 0)
    for index, gradient in enumerate(expected.by_parameters):
        parts = [one.by_parameters[index] for one in outcomes]
        assert_close(torch.stack(parts).sum(dim=0), gradient)


def test_heads_under_distributed_data_parallel_learn_as_from_the_joined_batch(
    results: Results,
) -> None:
    module = Heads()
    expected = outcome(module, joined(len(results), EQUAL))
    assert len(expected.by_parameters) == sum(p.requires_grad for p in module.parameters())
    for result in results:
        found = result["heads"].by_parameters
        for one, gradient in zip(found, expected.by_parameters, strict=True):
            assert_close(one, gradient)
        assert all(map(torch.equal, found, results[0]["heads"].by_parameters))
    values = torch.stack([result["heads"].value for result in results])
    assert_close(values.mean(), expected.value)


def test_the_mean_counts_every_sample_once_however_many_a_rank_has(results: Results) -> None:
    first, _ = joined(len(results), UNEQUAL)
    for result in results:
        mean, (count,), _ = result["mean"]
        assert_close(mean, first.mean(dim=0))
        assert count.item() == len(first)
