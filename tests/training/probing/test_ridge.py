"""Linear probes against a slow reference, and on cases whose answer is known."""

import numpy as np
import pytest

from training.probing.ridge import Floats, choose_strengths, fit_probe, r_squared, varies


def slow_ridge(features: Floats, states: Floats, strength: float) -> tuple[Floats, Floats]:
    """Return weights and means by the normal equations."""
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    gram = z.T @ z / len(z) + strength * np.eye(z.shape[1])
    return np.linalg.solve(gram, z.T @ (states - states.mean(axis=0)) / len(z)), states.mean(axis=0)


def samples(count: int, seed: int = 0, size: int = 5) -> Floats:
    return np.random.default_rng(seed).normal(3.0, 2.0, (count, size))


def test_the_probe_is_the_one_of_the_normal_equations_for_each_strength() -> None:
    features, states = samples(60), samples(60, seed=1, size=2)
    probe = fit_probe(features, states, np.array([0.1, 7.0]))
    for dimension, strength in enumerate((0.1, 7.0)):
        weights, offset = slow_ridge(features, states, strength)
        np.testing.assert_allclose(probe.weights[:, dimension], weights[:, dimension])
        np.testing.assert_allclose(probe.offset, offset)


def test_the_scale_of_features_changes_nothing() -> None:
    features, states = samples(60), samples(60, seed=1, size=2)
    strengths = np.array([0.1, 0.1])
    one = fit_probe(features, states, strengths).predict(features)
    scaled = features * np.array([1e-4, 1.0, 1e4, 3.0, 5.0]) - 20.0
    np.testing.assert_allclose(fit_probe(scaled, states, strengths).predict(scaled), one)


def test_what_is_linear_in_the_features_is_told_exactly_and_noise_is_not() -> None:
    features, others = samples(400), samples(400, seed=2)
    states, wanted = (
        np.stack([x @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + 7.0, y[:, 0]], axis=1)
        for x, y in ((features, samples(400, 3)), (others, samples(400, 4)))
    )
    strengths = choose_strengths(features[:300], states[:300], features[300:], states[300:])
    assert strengths[0] < strengths[1]  # noise is shrunk
    exact, chance = r_squared(fit_probe(features, states, strengths).predict(others), wanted)
    assert exact is not None
    assert exact > 0.9999
    assert chance is not None
    assert abs(chance) < 0.05


def test_more_features_than_samples_are_no_harm() -> None:
    features, states = samples(20, size=50), samples(20, seed=1, size=1)
    probe = fit_probe(features, states, np.array([0.5]))
    np.testing.assert_allclose(probe.weights, slow_ridge(features, states, 0.5)[0], atol=1e-10)


def test_the_share_of_variance_is_known_for_known_predictions() -> None:
    states = np.array([[1.0, 4.0, 2.0], [2.0, 4.0, 4.0], [3.0, 4.0, 6.0]])
    predicted = np.stack([states[:, 0], [9.0, 9.0, 9.0], [4.0, 4.0, 4.0]], axis=1)
    assert r_squared(predicted, states) == [1.0, None, 0.0]  # exact, constant, the mean
    (below,) = r_squared(states[::-1, :1], states[:, :1])
    assert below == pytest.approx(1 - 8 / 2)


def test_constant_features_and_rounding_count_as_constant() -> None:
    values = np.stack([np.full(9, 1e6) + np.arange(9) * 1e-3, np.zeros(9), np.arange(9.0)], axis=1)
    assert varies(values).tolist() == [False, False, True]
    states = np.arange(9.0)[:, None]
    found = fit_probe(values, states, np.array([1e-7])).predict(values)
    np.testing.assert_allclose(found, states, atol=1e-4)
