"""All that a probing found out, for the page, the file of figures and the table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agents.encoders.objective import Pictures
from training.probing.drawings import Drawn
from training.probing.verdicts import CHANCE, Verdict, mean_of

BASELINES = ("untrained", "PCA", "supervised")
Scores = tuple[float | None, ...]


@dataclass(frozen=True)
class Probed:
    """One model.

    Attributes:
        name: as it was typed.
        model: the objective that it was trained by.
        steps: optimiser steps that it was trained for.
        digest: of the encoder.
        verdict: on its features.
        baselines: R² [S] of each of BASELINES.
        drawn, strip: of a model that draws.
        trained_on: the split.
    """

    name: str
    model: str
    steps: int
    digest: str
    verdict: Verdict
    baselines: Mapping[str, Scores]
    drawn: Drawn | None
    strip: Pictures | None
    trained_on: str


@dataclass(frozen=True)
class Results:
    """All models.

    Attributes:
        probed: one by one.
        state: names of the S dimensions.
        alike: linear CKA of each pair of models, [models, models].
        facts: what was probed, and how.
    """

    probed: tuple[Probed, ...]
    state: tuple[str, ...]
    alike: tuple[tuple[float, ...], ...]
    facts: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return all figures in JSON's types; a constant dimension has null."""
        return {
            **self.facts,
            "state": list(self.state),
            "models": [_as_json(each) for each in self.probed],
            "linear_cka": [list(row) for row in self.alike],
        }


def score_text(value: float | None) -> str:
    """Return an R², with a word where it is no more than chance."""
    text = figure_text(value)
    return f"{text} (chance)" if value is not None and value <= CHANCE else text


def figure_text(value: float | None) -> str:
    """Return a figure about a number of the state, or the word for one that does not vary."""
    return "constant" if value is None else f"{value:.3f}"


def drawn_text(drawn: Drawn) -> str:
    """Return in words how the drawings compare to one picture for all."""
    if drawn.has_collapsed:
        return (
            f"collapsed: {drawn.ratio:.2f} of the mean picture's error, no better than one for all"
        )
    moving = (
        "nothing moves"
        if drawn.object_ratio is None
        else f"{drawn.object_ratio:.2f} where things move"
    )
    return f"{drawn.ratio:.2f} of the mean picture's error, {moving}"


def _as_json(each: Probed) -> dict[str, Any]:
    verdict = each.verdict
    return {
        "name": each.name,
        "model": each.model,
        "train_steps": each.steps,
        "trained_on": each.trained_on,
        "encoder_digest": each.digest,
        "features": verdict.num_features,
        "r_squared": list(verdict.r_squared),
        "r_squared_mean": mean_of(verdict.r_squared),
        "ridge_strength": list(verdict.strengths),
        "baselines": {name: list(scores) for name, scores in each.baselines.items()},
        "gtc": list(verdict.greatest),
        "gtc_mean": mean_of(verdict.greatest),
        "canonical_correlations": list(verdict.canonical),
        "rankme": verdict.rank,
        "correlations": verdict.correlations.tolist(),
        "drawn": None
        if each.drawn is None
        else asdict(each.drawn) | {"has_collapsed": each.drawn.has_collapsed},
    }
