"""What is found out about one representation: features on one side, true numbers on the other."""

from dataclasses import dataclass

from training.probing.relations import (
    canonical_correlations,
    correlations,
    ground_truth_correlation,
    rankme,
)
from training.probing.ridge import Floats, choose_strengths, fit_probe, r_squared, varies
from training.probing.rows import Rows

CHANCE = 0.05  # an R² up to this is called chance


@dataclass(frozen=True)
class Verdict:
    """About features [N, D] and states [N, S] of judged rows.

    Attributes:
        r_squared: [S], of a linear probe that was fitted on other episodes; None = constant.
        strengths: [S], of its ridge.
        correlations: [D, S].
        greatest: GTC, [S]; None = constant.
        canonical: [K], the largest first.
        rank: RankMe.
        num_features: D.
    """

    r_squared: tuple[float | None, ...]
    strengths: tuple[float, ...]
    correlations: Floats
    greatest: tuple[float | None, ...]
    canonical: tuple[float, ...]
    rank: float
    num_features: int


def probed(
    train: Rows, features: Floats, judged: Rows, judged_features: Floats
) -> tuple[tuple[float | None, ...], tuple[float, ...]]:
    """Return R² [S] on the judged rows, and the strengths [S] of the probe.

    The strength is chosen on a part of the training episodes; then all of them are fitted.
    A dimension that is constant in either set of rows has no R².

    Args:
        train, features: rows to fit on, and [N, D].
        judged, judged_features: rows of other episodes, and [M, D].
    """
    held, states = train.choosing, train.states
    strengths = choose_strengths(features[~held], states[~held], features[held], states[held])
    probe = fit_probe(features, states, strengths)
    found = r_squared(probe.predict(judged_features), judged.states)
    moves = varies(states)
    return (
        tuple(r if v else None for r, v in zip(found, moves, strict=True)),
        tuple(strengths.tolist()),
    )


def judge_features(train: Rows, features: Floats, judged: Rows, judged_features: Floats) -> Verdict:
    """Return all that is found out; arguments as in `probed`."""
    scores, strengths = probed(train, features, judged, judged_features)
    table = correlations(judged_features, judged.states)
    moves = varies(judged.states)
    greatest = ground_truth_correlation(table).tolist()
    return Verdict(
        r_squared=scores,
        strengths=strengths,
        correlations=table,
        greatest=tuple(g if v else None for g, v in zip(greatest, moves, strict=True)),
        canonical=tuple(canonical_correlations(judged_features, judged.states).tolist()),
        rank=rankme(judged_features),
        num_features=judged_features.shape[1],
    )


def mean_of(values: tuple[float | None, ...]) -> float | None:
    """Return the mean of those that are there; None where there are none."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
