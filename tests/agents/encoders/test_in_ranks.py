"""Two ranks with unequally many samples learn as one process does from all of them."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from agents.losses.global_sum import gather_samples, global_masked_mean, global_moments
from agents.losses.simclr import contrastive_loss
from agents.ranks import Ranks
from tests.agents.encoders.squares import KINDS, make, part, squares, stream
from tests.ranks import run_in_ranks

pytestmark = pytest.mark.timeout(300)  # the first test starts the ranks

SIZES = (4, 2)
ROWS = (slice(0, 4), slice(4, 6))
D = 3


def learnt(kind: str, rows: slice | None) -> dict[str, Any]:
    """Take a step with all samples, or with some under DistributedDataParallel."""
    objective = make(kind)
    samples = squares(objective.needs, sum(SIZES))
    objective.fit(samples)
    module: torch.nn.Module = objective
    if rows is not None:
        samples, module = part(samples, rows), DistributedDataParallel(objective)
    losses = module(samples, stream())
    losses.total.backward()
    torch.optim.SGD(objective.parameters(), lr=1e-3).step()
    objective.after_step(0.5)
    return {
        "loss": losses.total.detach(),
        "gradients": {n: p.grad for n, p in objective.named_parameters() if p.requires_grad},
        "state": objective.state_dict(),
    }


def numbers() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, sum(SIZES), D, generator=generator)
    return first + 2.0, second, torch.tensor([[1, 1, 0], [0, 0, 0]] * 3).bool()


def pure(rows: slice) -> dict[str, list[Tensor]]:
    """Values and gradients of functions that know all ranks, each with weights of its own."""
    first, second, mask = (x[rows] for x in numbers())
    first.requires_grad_()
    mean, variance, count = global_moments(first)
    everyone, _ = gather_samples(first)
    scalars = {
        "contrastive": contrastive_loss(first, second, 0.5),
        "masked mean": global_masked_mean(first, mask),
        "moments": (mean * 3.0 + variance).sum() + count,
        "gathered": (everyone.square() * torch.arange(1.0, 1.0 + len(everyone))[:, None]).sum(),
    }
    return {
        name: [value.detach(), *torch.autograd.grad(value, first, retain_graph=True)]
        for name, value in scalars.items()
    }


def everything(ranks: Ranks) -> dict[str, Any]:
    """What every rank does."""
    rows = ROWS[ranks.rank]
    return {"pure": pure(rows)} | {kind: learnt(kind, rows) for kind in KINDS}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_in_ranks(everything, len(SIZES), tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("name", ["contrastive", "masked mean", "moments", "gathered"])
def test_values_and_gradients_are_those_of_the_joined_batch(
    results: list[dict[str, Any]], name: str
) -> None:
    value, gradient = pure(slice(None))[name]
    assert gradient.any()
    for result in results:
        torch.testing.assert_close(result["pure"][name][0], value, rtol=1e-5, atol=1e-6)
    parts = [result["pure"][name][1] for result in results]  # each arrives once from every rank
    torch.testing.assert_close(torch.cat(parts) / 2, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_objective_learns_as_from_the_joined_batch(
    results: list[dict[str, Any]], kind: str
) -> None:
    expected = learnt(kind, None)
    for result in results:
        found = result[kind]
        torch.testing.assert_close(found["loss"], expected["loss"], rtol=1e-4, atol=1e-5)
        assert found["gradients"].keys() == expected["gradients"].keys()
        scale = max(float(gradient.abs().max()) for gradient in expected["gradients"].values())
        for name, gradient in expected["gradients"].items():
            torch.testing.assert_close(
                found["gradients"][name], gradient, rtol=2e-3, atol=1e-4 * scale, msg=name
            )
        torch.testing.assert_close(found["state"], expected["state"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", list(KINDS))
def test_both_ranks_end_with_the_same_weights(results: list[dict[str, Any]], kind: str) -> None:
    one, other = (result[kind]["state"] for result in results)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
