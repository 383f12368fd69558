"""A figure's past in bounded memory."""

from pathlib import Path
from statistics import fmean

import pytest

from training.evolution import showing as evolution
from training.live.history import MOST_POINTS, SPEED, History, Series
from training.live.sparkline import sparkline
from training.live.subject import PLAY, Subject
from training.offline import dynamics
from training.offline import showing as offline


@pytest.mark.parametrize("length", [1, 5, 511, 512, 513, 5000])
def test_the_points_cover_the_whole_past_in_order(length: int) -> None:
    series = Series()
    for value in range(length):
        series.add(float(value))
    points = series.points(40)
    assert len(points) == min(length, 40)
    assert points == sorted(points)
    assert points[0] < max(length / 20, 1)
    assert points[-1] > 0.95 * (length - 1) - 1


def test_the_mean_of_the_past_stays_as_it_is_thinned_out() -> None:
    series = Series()
    for value in range(4 * MOST_POINTS):
        series.add(float(value))
    assert fmean(series.points(64)) == pytest.approx((4 * MOST_POINTS - 1) / 2, rel=0.01)
    assert len(series.points(10**6)) <= MOST_POINTS + 1


def test_what_is_not_finite_is_left_out() -> None:
    series = Series()
    for value in (1.0, float("nan"), float("inf"), 2.0):
        series.add(value)
    assert series.points(10) == [1.0, 2.0]


def test_a_history_keeps_what_it_was_told_to() -> None:
    history = History(("a",))
    history.add({"a": 1.0, "b": 2.0}, None)
    history.add({"b": 2.0}, 5.0)
    assert sorted(history.series) == ["a", SPEED]


def test_the_lowest_value_fills_an_eighth_and_the_highest_all() -> None:
    assert sparkline([0.0, 3.5, 7.0]) == ["▁▅█"]
    assert sparkline([0.0, 15.0], rows=2) == [" █", "▁█"]
    assert sparkline([90.0, 100.0], from_zero=True) == ["▇█"]
    assert sparkline([0.0, 7.0], only_ascii=True) == [".@"]


def test_a_series_that_does_not_move_is_drawn_at_half_height() -> None:
    assert sparkline([2.0, 2.0], rows=2) == ["  ", "██"]
    assert sparkline([], rows=2) == ["", ""]


def test_a_run_that_is_continued_begins_with_its_past(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"a": 1.0, "charts/SPS": 7.0}\nno row\n5\n{"a": null}\n{"a": 3}\n')
    history = History(("a",))
    history.recall(metrics, PLAY.speed_of)
    assert history.series["a"].points(10) == [1.0, 3.0]
    assert history.series[SPEED].points(10) == [7.0]


@pytest.mark.parametrize(
    ("subject", "row", "speed"),
    [
        (PLAY, '{"charts/SPS": 7.0}', [7.0]),
        (evolution.SUBJECT, '{"charts/SPS": 7000.0, "time/generation": 0.25}', [4.0]),
        (evolution.SUBJECT, '{"charts/SPS": 7000.0, "time/generation": 0.0}', None),
        (offline.SUBJECT, '{"time/steps_per_second": 9.0}', [9.0]),
        (dynamics.SUBJECT, '{"time/steps_per_second": 9.0}', [9.0]),
    ],
)
def test_the_speed_that_is_recalled_is_of_what_the_run_counts(
    subject: Subject, row: str, speed: list[float] | None, tmp_path: Path
) -> None:
    (tmp_path / "metrics.jsonl").write_text(f"{row}\n")
    history = History(())
    history.recall(tmp_path / "metrics.jsonl", subject.speed_of)
    assert (history.series[SPEED].points(10) if speed else None) == speed
    assert (SPEED in history.series) == bool(speed)
