"""Scales, smoothing, numbers and charts."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.reports.parsing import Page
from training.figures.ticks import round_numbers
from training.reports.chart import LEFT, RIGHT, Line, draw_chart
from training.reports.markup import Markup, element
from training.reports.numbers import (
    duration_text,
    fitting_name,
    number_text,
    percent_text,
    short_text,
)
from training.reports.quantities import Quantity, charts_for
from training.reports.scale import linear_scale, logarithmic_scale
from training.reports.smoothing import SHARE, on_grid, smoothed, thinned
from training.reports.time_split import time_shares

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


def slow_mean_around(values: list[float]) -> list[float]:
    reach = max(1, len(values) // (2 * SHARE))
    pieces = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    return [sum(piece) / len(piece) for piece in pieces]


@pytest.mark.parametrize("n", [1, 2, 3, 50, 400])
def test_smoothing_is_the_mean_of_the_points_around_each(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    assert smoothed(values) == pytest.approx(slow_mean_around(values.tolist()))


def test_a_flat_curve_stays_flat_to_the_last_bit() -> None:
    assert (smoothed(np.full(300, 1e-3)) == 1e-3).all()


def test_runs_are_compared_only_where_all_of_them_have_been() -> None:
    one = np.array([10.0, 20.0, 40.0]), np.array([0.0, 1.0, 3.0])
    other = np.array([20.0, 30.0]), np.array([5.0, 6.0])
    grid, values = on_grid([one, other], 3)
    assert grid.tolist() == [20.0, 25.0, 30.0]
    assert values.tolist() == [[1.0, 1.5, 2.0], [5.0, 5.5, 6.0]]
    apart = np.array([50.0]), np.array([0.0])
    assert on_grid([one, apart], 3)[1].shape == (2, 0)


def test_thinning_keeps_ends_and_peaks() -> None:
    values = np.zeros(5000)
    values[1234], values[3210] = 9.0, -9.0
    steps, kept = thinned((np.arange(5000.0), values), 200)
    assert len(steps) <= 202
    assert (steps[0], steps[-1]) == (0.0, 4999.0)
    assert (kept.max(), kept.min()) == (9.0, -9.0)
    assert (np.diff(steps) > 0).all()


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
def test_all_values_lie_within_the_picture_and_so_do_the_marks(
    values: list[float], logarithmic: bool
) -> None:
    scale = (logarithmic_scale if logarithmic else linear_scale)([np.array(values)], 100.0, 0.0)
    places = scale.place(np.array(values))
    inside = places[np.array(values) > 0] if scale.logarithmic else places
    lowest = 1e-3 * 100 if scale.logarithmic else 0  # six decades are shown at most
    assert (inside >= -1e-6).all()
    assert (inside <= 100 + 1e-6 + (1e9 if scale.logarithmic and lowest else 0)).all()
    assert all(-1e-6 <= place <= 100 + 1e-6 for _, place in scale.marks())
    assert len(scale.marks()) <= 14


def test_scales_by_decades_are_for_what_spans_decades() -> None:
    scale = logarithmic_scale([np.array([1e-4, 1e-1])], 0.0, 1.0)
    assert scale.logarithmic
    assert [value for value, _ in scale.marks()] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert not logarithmic_scale([np.array([1.0, 5.0])], 0.0, 1.0).logarithmic
    assert not logarithmic_scale([np.array([-1.0, 0.0])], 0.0, 1.0).logarithmic
    zeros = logarithmic_scale([np.array([0.0, 1e-3, 1.0])], 0.0, 1.0)
    assert zeros.place(np.array([0.0]))[0] < 0


def test_round_numbers_are_round_and_within() -> None:
    assert round_numbers(0, 10) == [0, 2.5, 5, 7.5, 10]
    assert round_numbers(-1.2, 0.6) == [-1, -0.5, 0, 0.5]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-128.98, "−129"),
        (0.75779, "0.7578"),
        (1.44e-7, "1.44·10⁻⁷"),
        (12345.6, "12,346"),
        (3, "3"),
        (None, "–"),
        (float("nan"), "–"),
        ("x", "–"),
    ],
)
def test_numbers_are_short(value: object, text: str) -> None:
    assert number_text(value) == text


def test_a_name_that_is_too_long_keeps_both_of_its_ends() -> None:
    assert fitting_name("demo_seed1", 10) == "demo_seed1"
    assert fitting_name("a_long_name_seed12", 10) == "a_lo…eed12"


def test_numbers_of_axes_times_and_shares() -> None:
    assert [short_text(v) for v in (0.0, -2500.0, 1.5e6, 1e-5, 0.25)] == [
        *("0", "−2.5 k", "1.5 M", "10⁻⁵", "0.25"),
    ]
    assert [duration_text(s) for s in (5, 65, 3600, 90_061)] == [
        "5 s",
        "1 min 5 s",
        "1 h",
        "1 d 1 h",
    ]
    assert [percent_text(s) for s in (0.0, 0.001, 0.5)] == ["0 %", "< 1 %", "50 %"]


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "<&>", Markup("<b>"), title='"') == '<p title="&quot;">&lt;&amp;&gt;<b></p>'
    assert element("x", stroke_width=1.26, class_="a", hidden="", left_out=None) == (
        '<x stroke-width="1.3" class="a" hidden></x>'
    )


def test_a_chart_shows_a_line_a_band_thin_lines_and_values_where_one_points() -> None:
    steps = np.array([0.0, 50.0, 100.0])
    line = Line(
        *("a run", 0, (steps, np.array([0.0, 1.0, 2.0]))),
        band=(np.array([0.0, 0.5, 1.0]), np.array([0.0, 2.0, 3.0])),
        faint=((steps, np.array([0.0, 3.0, 2.0])),),
    )
    other = Line("another", 9, (steps[:1], np.array([1.0])))
    page = Page(draw_chart(Quantity("x/y", "Title"), [line, other], 100.0, 4.0))
    classes = [found.get("class") for tag, found, _ in page.elements if tag in ("path", "circle")]
    assert classes == ["band c0", "faint c0", "line c0", "dot line c1 dashed"]
    assert "at 51 env steps, 205 frames a run: 1.025" in page.text
    assert page.text.count("another: 1") == 0  # its one point lies in no strip's middle
    (picture,) = page.pictures()
    assert picture["aria-label"] == (
        "Title over env steps. a run: 0 at 0 env steps, 2 at 100, between 0 and 2; "
        "another: 1 at 0 env steps, 1 at 0, between 1 and 1."
    )


def test_what_an_axis_by_decades_cannot_show_is_marked_and_counted() -> None:
    steps = np.arange(6.0) * 20
    values = np.array([1.0, 0.1, 0.0, -1.0, 0.01, 1e-9])
    line = Line("a run", 3, (steps, values))
    page = Page(draw_chart(Quantity("x/y", "Title", logarithmic=True), [line], 100.0, 1.0))
    marks = [
        re.match(r"M([\d.]+),", str(found["d"]))
        for tag, found, _ in page.elements
        if tag == "path" and found["class"] == "below c3"
    ]
    places = [float(mark[1]) + 4 for mark in marks if mark]
    width = RIGHT - LEFT
    assert places == pytest.approx([LEFT + share * width for share in (0.4, 0.6, 1.0)], abs=3.1)
    assert page.captions == [
        "Title ▽ 3 of 6 values are 0 or less, or too small for this axis",
    ]
    plain = Page(draw_chart(Quantity("x/y", "Title"), [line], 100.0, 1.0))
    assert plain.captions == ["Title"]
    assert "below" not in str(plain.elements)


@pytest.mark.parametrize("value", [1e-3, 1e-4, -1e-3, 1e-5, -1.234e-4])
def test_the_numbers_of_a_flat_curve_lie_within_the_picture(value: float) -> None:
    line = Line("a run", 0, (np.array([0.0, 100.0]), np.full(2, value)))
    chart = draw_chart(Quantity("x/y", "Title"), [line], 100.0, 1.0)
    numbers = re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="end">([^<]+)<', chart)
    assert len(numbers) > 2
    widths = {letter: 5.0 for letter in ".·⁻⁰¹²³⁴⁵⁶⁷⁸⁹"} | {"−": 10.1}  # DejaVu Sans, 12 pixels
    for right, text in numbers:
        assert sum(widths.get(letter, 7.7) for letter in text) <= float(right), text


def test_every_figure_is_shown_once_and_unknown_ones_under_their_own_name() -> None:
    keys = ["env_steps", "time/fps", "charts/episodic_return", "rollout/ep_rew_mean", "new/of_it"]
    found = charts_for(keys)
    titles = {heading: [q.title for q in quantities] for heading, quantities in found.items()}
    assert titles == {"Score and exploration": ["Return"], "Statistics and speed": ["Of it"]}


def test_time_shares_are_of_the_whole_time_and_act_is_not_counted_twice() -> None:
    fast = {"env_steps": 100, "charts/SPS": 100.0, "time/fraction_collect": 0.8}
    slow = {"env_steps": 200, "charts/SPS": 25.0, "time/fraction_collect": 0.4}
    parts = {"time/fraction_act": 0.1, "time/fraction_learn": 0.2}
    shares = time_shares([fast | parts, slow | parts])
    assert shares["step"] == pytest.approx((0.7 * 1 + 0.3 * 4) / 5)
    assert shares["act"] == pytest.approx(0.1)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert time_shares([{"env_steps": 5}]) == {}
