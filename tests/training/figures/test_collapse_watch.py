"""The warning about a collapsed representation."""

import pytest

from training.figures.collapse_watch import CollapseWatch

ALIVE = {
    "representation/feature_std": 0.8,
    "representation/effective_rank": 40.0,
    "representation/backbone_std": 0.12,
    "representation/backbone_rank": 14.0,
}
ONE_PLACE = ALIVE | {"representation/feature_std": 0.01}
ONE_LINE = ALIVE | {"representation/effective_rank": 1.0}
FLAT_BACKBONE = ALIVE | {"representation/backbone_std": 0.001}
THIN_BACKBONE = ALIVE | {"representation/backbone_rank": 1.0}


def test_a_collapse_is_told_once_until_the_embedding_has_recovered() -> None:
    watch = CollapseWatch()
    rows = [ALIVE, ONE_PLACE, ONE_PLACE, ALIVE, ONE_LINE]
    told = [watch.look(row) is not None for row in rows]
    assert told == [False, True, False, False, True]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (ONE_PLACE, "the head's embedding fills 40.0 directions with a spread of 0.010"),
        (FLAT_BACKBONE, "the policy's backbone fills 14.0 directions with a spread of 0.001"),
        (THIN_BACKBONE, "the policy's backbone fills 1.0 directions with a spread of 0.120"),
    ],
)
def test_the_warning_says_what_was_measured_and_what_to_try(
    row: dict[str, float], told: str
) -> None:
    text = CollapseWatch().look(row)
    assert text is not None
    assert told in text
    assert "RepresentationCoef" in text


def test_a_second_collapse_is_told_beside_the_first() -> None:
    watch = CollapseWatch()
    assert watch.look(ONE_PLACE) is not None
    text = watch.look(ONE_PLACE | FLAT_BACKBONE | {"representation/feature_std": 0.01})
    assert text is not None
    assert "backbone" in text
    assert "embedding" not in text


def test_a_run_without_a_head_is_not_warned() -> None:
    assert CollapseWatch().look({"losses/policy": 0.0}) is None
