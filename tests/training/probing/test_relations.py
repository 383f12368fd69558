"""Correlations, CCA, CKA and RankMe against slow references, and on known cases."""

import itertools
import math

import numpy as np
import pytest

from training.probing.relations import (
    canonical_correlations,
    correlations,
    ground_truth_correlation,
    linear_cka,
    rankme,
)
from training.probing.ridge import Floats


def samples(size: int, seed: int, count: int = 80) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, size))


def turned(values: Floats, seed: int = 5) -> Floats:
    """Return values [N, D], rotated."""
    size = values.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return np.asarray(values @ rotation)


def test_correlations_are_those_of_numpy_and_constants_go_with_nothing() -> None:
    features, states = samples(4, 0), samples(3, 1)
    features[:, 2], states[:, 1] = 7.0, -1.0
    found = correlations(features, states)
    for feature, state in itertools.product((0, 1, 3), (0, 2)):
        wanted = np.corrcoef(features[:, feature], states[:, state])[0, 1]
        assert found[feature, state] == pytest.approx(wanted)
    assert not found[2].any()
    assert not found[:, 1].any()


def test_gtc_takes_the_strongest_feature_of_either_sign() -> None:
    table = np.array([[0.2, 0.0], [-0.9, 0.1], [0.5, -0.3]])
    assert ground_truth_correlation(table).tolist() == [0.9, 0.3]


def slow_cca(one: Floats, other: Floats) -> Floats:
    """Return roots of the eigenvalues of S11⁻¹ S12 S22⁻¹ S21, as Hotelling has it."""
    x, y = one - one.mean(axis=0), other - other.mean(axis=0)
    product = np.linalg.solve(x.T @ x, x.T @ y) @ np.linalg.solve(y.T @ y, y.T @ x)
    values = np.sort(np.linalg.eigvals(product).real)[::-1][: min(x.shape[1], y.shape[1])]
    return np.asarray(np.sqrt(values))


def test_canonical_correlations_are_those_of_the_covariances() -> None:
    one = samples(5, 0)
    other = one[:, :3] + 0.7 * samples(3, 1)
    np.testing.assert_allclose(canonical_correlations(one, other), slow_cca(one, other))


def test_canonical_correlations_survive_any_invertible_map_and_doubled_columns() -> None:
    one, other = samples(5, 0), samples(3, 1)
    mixed = np.concatenate([one @ samples(5, 2, count=5), one[:, :2]], axis=1)
    np.testing.assert_allclose(
        canonical_correlations(mixed, other), canonical_correlations(one, other), atol=1e-6
    )
    np.testing.assert_allclose(canonical_correlations(one, one[:, :2] * 9 + 1), [1.0, 1.0])
    assert len(canonical_correlations(one, np.ones((80, 2)))) == 0


def slow_cka(one: Floats, other: Floats) -> float:
    """Return HSIC of the centred Gram matrices, normalised: equation 1 with linear kernels."""
    count = len(one)
    centring = np.eye(count) - 1 / count

    def hsic(first: Floats, second: Floats) -> float:
        return float(np.trace(first @ centring @ second @ centring))

    k, other_k = one @ one.T, other @ other.T
    return hsic(k, other_k) / math.sqrt(hsic(k, k) * hsic(other_k, other_k))


def test_cka_is_that_of_the_gram_matrices() -> None:
    one, other = samples(6, 0), samples(4, 1) + samples(4, 0)
    assert linear_cka(one, other) == pytest.approx(slow_cka(one, other))


def test_cka_is_one_for_a_rotation_and_a_scale_and_less_for_a_stretch() -> None:
    one = samples(6, 0)
    assert linear_cka(one, 3 * turned(one) - 5) == pytest.approx(1.0)
    assert linear_cka(one, one * np.array([1, 1, 1, 1, 1, 20.0])) < 0.9
    assert linear_cka(one, np.ones((80, 3))) == 0.0


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_rankme_counts_equal_directions(rank: int) -> None:
    directions, _ = np.linalg.qr(samples(6, 0))
    assert rankme(5 * turned(directions[:, :rank])) == pytest.approx(rank, rel=1e-3)
    padded = np.concatenate([directions[:, :rank], np.zeros((80, 3))], axis=1)
    assert rankme(padded) == pytest.approx(rank, rel=1e-3)


def test_rankme_is_the_exponential_of_the_entropy() -> None:
    values = samples(4, 3) * np.array([5.0, 2.0, 1.0, 0.1])
    singular = np.linalg.svd(values, compute_uv=False)
    shares = singular / singular.sum()
    wanted = math.exp(-sum(p * math.log(p) for p in shares.tolist()))
    assert rankme(values) == pytest.approx(wanted, rel=1e-4)
    assert rankme(np.zeros((9, 4))) == 1.0
