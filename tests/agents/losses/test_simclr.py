"""SimCLR's loss; several ranks: tests/agents/encoders/test_in_ranks.py."""

import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.simclr import contrastive_loss

B, D = 6, 4


def slow_loss(first: Tensor, second: Tensor, temperature: float) -> float:
    """Algorithm 1 of the paper, term by term."""
    z = [row.double() for pair in zip(first, second, strict=True) for row in pair]
    N = len(first)

    def s(i: int, j: int) -> float:
        return float(z[i] @ z[j] / (z[i].norm() * z[j].norm()))

    def loss(i: int, j: int) -> float:
        others = sum(math.exp(s(i, k) / temperature) for k in range(2 * N) if k != i)
        return -math.log(math.exp(s(i, j) / temperature) / others)

    return sum(loss(2 * k, 2 * k + 1) + loss(2 * k + 1, 2 * k) for k in range(N)) / (2 * N)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_the_loss_is_that_of_the_papers_algorithm(temperature: float) -> None:
    first, second = torch.randn(2, B, D)
    found = contrastive_loss(first, second, temperature)
    assert found.item() == pytest.approx(slow_loss(first, second, temperature), rel=1e-5)


def test_it_is_symmetric_and_length_and_order_do_not_matter() -> None:
    first, second = torch.randn(2, B, D)
    loss, order = contrastive_loss(first, second, 0.5), torch.randperm(B)
    torch.testing.assert_close(contrastive_loss(second, first, 0.5), loss)
    torch.testing.assert_close(contrastive_loss(3.0 * first[order], second[order], 0.5), loss)


def test_a_collapse_costs_the_log_of_the_number_of_others_and_pairs_cost_less() -> None:
    alike = torch.ones(B, D)
    assert contrastive_loss(alike, alike, 0.5).item() == pytest.approx(math.log(2 * B - 1))
    paired = torch.eye(B)
    assert contrastive_loss(paired, paired, 0.1).item() < 0.01


def test_a_single_sample_has_nothing_to_be_told_from() -> None:
    first = torch.randn(1, D, requires_grad=True)
    loss = contrastive_loss(first, torch.randn(1, D), 0.5)
    (gradient,) = torch.autograd.grad(loss, first)
    assert loss.item() == 0.0
    assert (gradient == 0).all()


def test_autocast_leaves_the_similarities_in_float32() -> None:
    first, second = torch.randn(2, B, D)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(
            contrastive_loss(first, second, 0.1), contrastive_loss(first.float(), second, 0.1)
        )
        inside = contrastive_loss(first, second, 0.1)
    assert torch.equal(inside, contrastive_loss(first, second, 0.1))


def test_views_of_different_samples_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(contrastive_loss)(torch.zeros(B, D), torch.zeros(1, D), 0.5)
