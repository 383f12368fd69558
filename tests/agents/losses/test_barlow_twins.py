"""Barlow Twins' cross-correlation and loss; several ranks: test_heads_in_ranks.py."""

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.barlow_twins import cross_correlation, off_diagonal_energy, redundancy_loss

B, D = 12, 5


def slow_correlation(first: Tensor, second: Tensor) -> np.ndarray:
    """Pearson's coefficient of every pair of features, by numpy in float64."""
    joined = np.concatenate([first.double().numpy().T, second.double().numpy().T])
    return np.asarray(np.corrcoef(joined)[:D, D:])


def test_entries_are_the_correlations_of_pairs_of_features() -> None:
    first, second = torch.randn(2, B, D)
    second += first
    correlation = cross_correlation(first, second)
    np.testing.assert_allclose(correlation.numpy(), slow_correlation(first, second), atol=1e-4)


def test_the_loss_is_the_double_sum_of_the_paper() -> None:
    correlation = torch.randn(D, D)
    expected = sum((1 - float(correlation[i, i])) ** 2 for i in range(D)) + 0.3 * sum(
        float(correlation[i, j]) ** 2 for i in range(D) for j in range(D) if j != i
    )
    assert redundancy_loss(correlation, 0.3).item() == pytest.approx(expected, rel=1e-5)


def test_the_identity_alone_has_no_loss() -> None:
    assert redundancy_loss(torch.eye(D), 0.0051).item() == 0.0
    assert redundancy_loss(torch.ones(D, D), 1.0).item() == D * (D - 1)


def test_a_diagonal_matrix_has_exactly_no_energy_beside_the_diagonal() -> None:
    assert off_diagonal_energy(torch.diag(1e4 * torch.randn(100))).item() == 0.0


def test_scale_and_offset_of_a_feature_do_not_matter() -> None:
    first, second = torch.randn(2, 64, D)
    correlation = cross_correlation(first, second)
    scale, offset = torch.rand(D) + 0.5, 10 * torch.randn(D)
    for views in ((first * scale + offset, second), (first, second * scale + offset)):
        torch.testing.assert_close(cross_correlation(*views), correlation, rtol=0.0, atol=1e-4)


def test_the_order_of_samples_does_not_matter_but_their_pairing_does() -> None:
    first = torch.randn(B, D)
    second, order = first + 0.1 * torch.randn(B, D), torch.randperm(B)
    correlation = cross_correlation(first, second)
    torch.testing.assert_close(cross_correlation(first[order], second[order]), correlation)
    unpaired = cross_correlation(first, second.roll(1, dims=0))
    assert unpaired.diagonal().mean() < correlation.diagonal().mean() - 0.5


def test_features_that_do_not_vary_have_no_correlation_and_a_finite_gradient() -> None:
    first = torch.ones(B, D, requires_grad=True)
    correlation = cross_correlation(first, torch.randn(B, D))
    (gradient,) = torch.autograd.grad(redundancy_loss(correlation, 0.0051), first)
    assert (correlation == 0).all()
    assert gradient.isfinite().all()


def test_autocast_leaves_the_statistics_in_float32() -> None:
    first, second = torch.randn(2, B, D)
    with torch.autocast("cpu", torch.bfloat16):
        inside = cross_correlation(first, second)
        narrow = cross_correlation(first.bfloat16(), second.bfloat16())
    assert torch.equal(inside, cross_correlation(first, second))
    assert narrow.dtype == torch.float32


def test_views_of_different_samples_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(cross_correlation)(torch.zeros(B, D), torch.zeros(1, D))
