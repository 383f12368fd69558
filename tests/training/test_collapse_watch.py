"""The warning about a collapsed representation."""

from training.collapse_watch import CollapseWatch

ALIVE = {"representation/feature_std": 0.8, "representation/effective_rank": 40.0}
ONE_PLACE = {"representation/feature_std": 0.01, "representation/effective_rank": 9.0}
ONE_LINE = {"representation/feature_std": 0.8, "representation/effective_rank": 1.0}


def test_a_collapse_is_told_once_until_the_embedding_has_recovered() -> None:
    watch = CollapseWatch()
    rows = [ALIVE, ONE_PLACE, ONE_PLACE, ALIVE, ONE_LINE]
    told = [watch.look(row) is not None for row in rows]
    assert told == [False, True, False, False, True]


def test_the_warning_says_what_was_measured_and_what_to_try() -> None:
    text = CollapseWatch().look(ONE_PLACE)
    assert text is not None
    assert "9.0 directions with a spread of 0.010" in text
    assert "RepresentationCoef" in text


def test_a_run_without_a_head_is_not_warned() -> None:
    assert CollapseWatch().look({"losses/policy": 0.0}) is None
