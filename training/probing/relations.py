"""How features and true numbers go together, and how two representations do. Float64.

Axes: N samples, D features, S dimensions of the state. What is constant goes with nothing: 0.
"""

import numpy as np

from training.probing.ridge import Floats, Scale

RANK_TOLERANCE = 1e-8  # of the largest singular value: directions below are rounding
RANKME_EPSILON = 1e-7


def correlations(features: Floats, states: Floats) -> Floats:
    """Return the correlation (Pearson) of each feature with each dimension, [D, S]."""
    one, other = Scale.of(features).apply(features), Scale.of(states).apply(states)
    return np.clip(one.T @ other / len(features), -1.0, 1.0)


def ground_truth_correlation(table: Floats) -> Floats:
    """Return GTC, for each true dimension the largest |correlation| of any feature, [S].

    Raffin et al. 2018, "S-RL Toolbox", arXiv 1809.09369, section 4.

    Args:
        table: [D, S] correlations.
    """
    return np.asarray(np.abs(table).max(axis=0))


def canonical_correlations(one: Floats, other: Floats) -> Floats:
    """Return the canonical correlations of two sets of columns, the largest first.

    Hotelling 1936: singular values of Q1ᵀ Q2, where Q1 and Q2 are orthonormal bases of the centred
    columns (Björck and Golub 1973). They do not change under invertible linear maps of either side.

    Args:
        one: [N, D].
        other: [N, S].

    Returns:
        [K], K the smaller of the two ranks; empty where one side is constant.
    """
    found = np.linalg.svd(_basis(one).T @ _basis(other), compute_uv=False)
    return np.clip(found, 0.0, 1.0)


def linear_cka(one: Floats, other: Floats) -> float:
    """Return the linear centred kernel alignment of two representations of the same samples.

        CKA = ‖Yᵀ X‖² / (‖Xᵀ X‖ ‖Yᵀ Y‖),    Frobenius norms of centred X and Y

    Kornblith et al. 2019, arXiv 1905.00414, section 3. It is 1 where X and Y differ by a rotation
    and a scale.

    Args:
        one: [N, D].
        other: [N, D'].
    """
    x, y = one - one.mean(axis=0), other - other.mean(axis=0)
    scale = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(np.square(np.linalg.norm(y.T @ x)) / scale) if scale > 0 else 0.0


def rankme(features: Floats) -> float:
    """Return the effective rank of features [N, D], between 1 and the smaller of N and D.

        RankMe = exp(- Σ_k p_k log p_k),    p_k = σ_k / Σ_l σ_l + ε

    Garrido et al. 2023, arXiv 2210.02885, equation 1, of the features as they are, not centred.
    """
    singular = np.linalg.svd(features, compute_uv=False)
    total = singular.sum()
    if total == 0:
        return 1.0
    shares = singular / total + RANKME_EPSILON
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _basis(values: Floats) -> Floats:
    """Return an orthonormal basis [N, K] of the standardised columns."""
    left, singular, _ = np.linalg.svd(Scale.of(values).apply(values), full_matrices=False)
    return np.asarray(left[:, singular > RANK_TOLERANCE * max(float(singular.max()), 1e-300)])
