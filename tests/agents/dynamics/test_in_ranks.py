"""Two ranks with unequally many windows learn as one process does from all of them."""

from typing import Any

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from agents.encoders.objective import Samples
from agents.ranks import Ranks
from tests.agents.dynamics.walks import KINDS, make, stream, walks
from tests.ranks import run_in_ranks

pytestmark = pytest.mark.timeout(300)  # the first test starts the ranks

ROWS = (slice(0, 4), slice(4, 6))


def learnt(kind: str, rows: slice | None) -> dict[str, Any]:
    """Take a step with all windows, or with some under DistributedDataParallel."""
    model = make(kind)
    samples = walks(6)
    model.fit(samples)
    module: torch.nn.Module = model
    if rows is not None:
        samples = Samples(*(x if x is None else x[rows] for x in samples))
        module = DistributedDataParallel(model)
    losses = module(samples, stream())
    losses.total.backward()
    return {
        "loss": losses.total.detach(),
        "parts": losses.parts,
        "gradients": {name: p.grad for name, p in model.named_parameters()},
    }


def everything(ranks: Ranks) -> dict[str, Any]:
    """What every rank does."""
    return {kind: learnt(kind, ROWS[ranks.rank]) for kind in KINDS}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_in_ranks(everything, len(ROWS), tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_loss_and_gradient_are_those_of_the_joined_batch(
    results: list[dict[str, Any]], kind: str
) -> None:
    expected = learnt(kind, None)
    for result in results:
        found = result[kind]
        torch.testing.assert_close(found["loss"], expected["loss"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found["parts"], expected["parts"], rtol=1e-5, atol=1e-6)
        for name, gradient in expected["gradients"].items():
            torch.testing.assert_close(
                found["gradients"][name], gradient, rtol=1e-3, atol=1e-6, msg=name
            )
