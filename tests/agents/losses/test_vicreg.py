"""VICReg's three terms; several ranks: test_heads_in_ranks.py."""

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.losses.vicreg import covariance_loss, invariance_loss, variance_loss

B, D = 10, 4


def test_the_variance_term_is_a_hinge_on_each_deviation() -> None:
    embeddings = torch.randn(B, D) * torch.tensor([0.1, 0.5, 2.0, 0.9])
    total = 0.0
    for column in embeddings.double().numpy().T:
        variance = sum((value - column.mean()) ** 2 for value in column) / (B - 1)
        total += max(0.0, 1.0 - float(np.sqrt(variance + 1e-4)))
    assert variance_loss(embeddings).item() == pytest.approx(total / D, rel=1e-5)


def test_the_covariance_term_sums_the_squares_beside_the_diagonal() -> None:
    embeddings = torch.randn(B, D) @ torch.randn(D, D)
    covariance = np.cov(embeddings.double().numpy(), rowvar=False)
    total = sum(covariance[i, j] ** 2 for i in range(D) for j in range(D) if i != j)
    assert covariance_loss(embeddings).item() == pytest.approx(total / D, rel=1e-4)


def test_the_invariance_term_is_the_mean_squared_error() -> None:
    first, second = torch.randn(2, B, D)
    total = sum((float(first[b, d]) - float(second[b, d])) ** 2 for b in range(B) for d in range(D))
    assert invariance_loss(first, second).item() == pytest.approx(total / (B * D), rel=1e-5)


def test_features_that_vary_enough_and_alone_cost_nothing() -> None:
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert variance_loss(2 * signs).item() == 0.0
    assert covariance_loss(2 * signs).item() == 0.0
    assert invariance_loss(signs, signs).item() == 0.0


def test_offsets_and_the_order_of_samples_do_not_matter() -> None:
    embeddings, order = 0.3 * torch.randn(B, D), torch.randperm(B)
    for term in (variance_loss, covariance_loss):
        torch.testing.assert_close(term(embeddings[order]), term(embeddings))
        torch.testing.assert_close(term(embeddings + 5.0), term(embeddings), rtol=1e-4, atol=1e-6)
    other = torch.randn(B, D)
    torch.testing.assert_close(
        invariance_loss(embeddings[order], other[order]), invariance_loss(embeddings, other)
    )


@pytest.mark.parametrize("batch", [1, B])
def test_a_collapsed_batch_has_the_full_hinge_and_a_finite_gradient(batch: int) -> None:
    embeddings = torch.full((batch, D), 3.0, requires_grad=True)
    loss = variance_loss(embeddings)
    (gradient,) = torch.autograd.grad(loss + covariance_loss(embeddings), embeddings)
    assert loss.item() == pytest.approx(0.99)
    assert gradient.isfinite().all()


def test_autocast_leaves_the_statistics_in_float32() -> None:
    first, second = torch.randn(2, B, D)
    with torch.autocast("cpu", torch.bfloat16):
        inside = variance_loss(first), covariance_loss(first), invariance_loss(first, second)
        narrow = covariance_loss(first.bfloat16())
    outside = variance_loss(first), covariance_loss(first), invariance_loss(first, second)
    assert all(torch.equal(one, other) for one, other in zip(inside, outside, strict=True))
    assert narrow.dtype == torch.float32


def test_views_of_another_width_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(invariance_loss)(torch.zeros(B, D), torch.zeros(B, 1))
