"""Measures of collapse on embeddings whose answer is known."""

import math

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.collapse import effective_rank, feature_spread, view_alignment


def slow_rank(embeddings: Tensor) -> float:
    """exp of the entropy of the normalised singular values, by numpy."""
    values = embeddings.double().numpy()
    singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    shares = [value / singular.sum() for value in singular if value > 1e-12 * singular.max()]
    return math.exp(-sum(share * math.log(share) for share in shares))


@pytest.mark.parametrize(("batch", "features"), [(30, 6), (6, 30), (8, 8)])
def test_the_rank_follows_the_definition_whichever_side_is_longer(
    batch: int, features: int
) -> None:
    embeddings = torch.randn(batch, features) * torch.linspace(0.1, 3.0, features) + 7.0
    assert effective_rank(embeddings).item() == pytest.approx(slow_rank(embeddings), rel=1e-5)


@pytest.mark.parametrize("true_rank", [1, 2, 5])
def test_equal_directions_are_counted_and_rounding_is_not(true_rank: int) -> None:
    basis = torch.linalg.qr(torch.randn(200, true_rank)).Q
    centred = torch.linalg.qr(torch.randn(60, true_rank)).Q
    centred = torch.linalg.qr(centred - centred.mean(dim=0)).Q  # equal singular values, mean 0
    embeddings = centred @ basis.T
    assert effective_rank(embeddings).item() == pytest.approx(true_rank, rel=1e-3)


def test_scale_offset_rotation_and_order_leave_the_rank_alone() -> None:
    embeddings = torch.randn(20, 7) * torch.linspace(0.5, 2.0, 7)
    rotation = torch.linalg.qr(torch.randn(7, 7)).Q
    changed = (100 * embeddings @ rotation + 3.0)[torch.randperm(20)]
    torch.testing.assert_close(effective_rank(changed), effective_rank(embeddings))


@pytest.mark.parametrize(
    "embeddings",
    [torch.arange(5.0)[None], torch.full((9, 5), 0.1), torch.zeros(9, 5), torch.full((9, 5), 1e4)],
    ids=["one sample", "constant", "zeros", "large constant"],
)
def test_a_collapsed_batch_has_rank_one_and_no_spread(embeddings: Tensor) -> None:
    assert effective_rank(embeddings).item() == 1.0
    assert feature_spread(embeddings).item() == pytest.approx(0.0, abs=1e-6)
    assert view_alignment(embeddings, embeddings).isfinite()


def test_an_embedding_that_is_not_finite_has_no_rank_and_raises_nothing() -> None:
    embeddings = torch.randn(9, 5)
    embeddings[2, 3] = math.inf
    assert effective_rank(embeddings).isnan()


def test_directions_spread_evenly_have_a_spread_of_about_one() -> None:
    embeddings = torch.randn(2000, 64)
    assert feature_spread(embeddings).item() == pytest.approx(1.0, abs=0.02)
    assert feature_spread(embeddings + 100.0).item() < 0.05


def test_the_spread_follows_the_definition_and_ignores_lengths() -> None:
    embeddings = torch.randn(6, 3)
    rows = [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in embeddings.tolist()]
    deviations = [float(np.std([row[d] for row in rows])) for d in range(3)]
    expected = math.sqrt(3) * sum(deviations) / 3
    assert feature_spread(embeddings).item() == pytest.approx(expected, rel=1e-5)
    lengths = torch.rand(6, 1) + 0.1
    assert feature_spread(embeddings * lengths).item() == pytest.approx(expected, rel=1e-5)


def test_alignment_is_the_mean_cosine() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
    second = torch.tensor([[5.0, 0.0], [0.0, -1.0], [1.0, 0.0], [1.0, 0.0]])
    expected = (1 - 1 + math.sqrt(0.5) + 0) / 4
    assert view_alignment(first, second).item() == pytest.approx(expected)


def test_nothing_carries_a_gradient_and_narrow_numbers_are_widened() -> None:
    embeddings = torch.randn(12, 5, requires_grad=True)
    narrow = embeddings.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        figures = (
            effective_rank(narrow),
            feature_spread(narrow),
            view_alignment(narrow, narrow),
        )
    wide = narrow.float()
    expected = effective_rank(wide), feature_spread(wide), view_alignment(wide, wide)
    for figure, value in zip(figures, expected, strict=True):
        assert not figure.requires_grad
        assert torch.equal(figure, value)


def test_views_of_different_samples_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(view_alignment)(torch.zeros(4, 3), torch.zeros(1, 3))
