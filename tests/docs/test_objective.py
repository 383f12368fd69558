"""The objective of docs/extending.md keeps to the rules of that page."""

import json
from pathlib import Path

import pytest
import torch

from agents.encoders.objective import Objective
from agents.encoders.registry import build_encoder
from agents.ranks import Ranks
from agents.steps.adam import FusedAdam
from tests.agents.encoders.squares import SHAPES, part, squares, stream
from tests.agents.small import drawn_from
from tests.docs.page import OBJECTIVE, example
from tests.ranks import run_in_ranks

SIZES = (4, 2)


def learnt(rows: slice) -> tuple[Objective, torch.Tensor, list[torch.Tensor]]:
    """Return the page's objective after a backward pass, its loss and its gradients."""
    with drawn_from(0):
        objective: Objective = example(OBJECTIVE).Supervised.create(SHAPES)
    samples = squares(objective.needs, sum(SIZES))
    objective.fit(samples)
    losses = objective(part(samples, rows), stream())
    losses.total.backward()
    gradients = [p.grad for p in objective.parameters() if p.grad is not None]
    return objective, losses.total.detach(), gradients


def test_its_loss_reaches_every_parameter_and_its_encoder_is_made_anew() -> None:
    objective, _, gradients = learnt(slice(None))
    assert len(gradients) == len(list(objective.parameters()))
    encoder = build_encoder(json.loads(json.dumps(objective.facts))["encoder"])
    encoder.load_state_dict(objective.encoder.state_dict())
    frames = squares(objective.needs, 3).observations
    assert frames is not None
    assert torch.equal(encoder.encode(frames)[0], objective.encoder.encode(frames)[0])


def test_it_learns() -> None:
    objective, first, _ = learnt(slice(None))
    samples = squares(objective.needs, sum(SIZES))
    optimizer = FusedAdam([{"params": list(objective.parameters()), "lr": 3e-3}], eps=1e-8)
    for _ in range(20):
        objective.zero_grad()
        loss = objective(samples, stream()).total
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first.item()


def part_of(ranks: Ranks) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Learn from this rank's samples."""
    start = sum(SIZES[: ranks.rank])
    _, loss, gradients = learnt(slice(start, start + SIZES[ranks.rank]))
    return loss, [gradient / len(SIZES) for gradient in map(ranks.sum, gradients)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_ranks_learn_as_one_process_does_from_all_samples(tmp_path: Path) -> None:
    _, expected, gradients = learnt(slice(None))
    for loss, found in run_in_ranks(part_of, 2, tmp_path):
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(found, gradients, rtol=1e-3, atol=1e-5)
