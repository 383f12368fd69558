"""From the rows of runs to the lines of charts: one run as recorded, several as a band."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.reports.chart import Line, draw_chart, legend
from training.reports.groups import Group, common_step
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.markup import Markup, element
from training.reports.page import Section, paragraph
from training.reports.quantities import charts_for
from training.reports.rows import Curve, curve
from training.reports.smoothing import on_grid, smoothed

GRID_POINTS = 120  # of a group's curve
RESAMPLES = 500  # of a band; tables draw more
MOST_SINGLE_LINES = 10  # beneath a group's curve


def curve_sections(groups: Sequence[Group], note: str) -> list[Section]:
    """Return a section of charts for each area of figures that a run has, a note in the first."""
    runs = [run for group in groups for run in group.runs]
    keys = {key for run in runs for row in run.rows for key in row}
    last_step = float(max((run.last_step for run in runs), default=0))
    frames = {run.frames_per_step for run in runs if run.rows}
    frames_per_step = frames.pop() if len(frames) == 1 else 1.0
    sections: list[Section] = []
    for heading, quantities in charts_for(keys).items():
        charts: list[Markup] = []
        shown: dict[int, Line] = {}
        for quantity in quantities:
            lines = [
                line
                for number, group in enumerate(groups)
                if (line := group_line(group, number, quantity.key)) is not None
            ]
            if lines and (quantity.at_zero or any(line.curve[1].any() for line in lines)):
                charts.append(draw_chart(quantity, lines, last_step, frames_per_step))
                shown |= {line.colour: line for line in lines}
        parts = [] if sections else [paragraph(note)]
        parts += (
            [legend([(shown[number].style, shown[number].name) for number in sorted(shown)])]
            if len(groups) > 1
            else []
        )
        parts.append(element("div", *charts, class_="charts"))
        sections.append(Section(heading, tuple(parts) if charts else ()))
    return sections


def group_line(group: Group, number: int, key: str) -> Line | None:
    """Return the line of a group under a key; None where none of its runs has a number there.

    A single run is drawn as recorded, with its smoothed curve on top. Several are drawn smoothed,
    with their IQM and its interval on top, as far as all of them reach that are `comparable`.
    """
    recorded = [found for run in group.runs if len((found := curve(run.rows, key))[0])]
    if not recorded:
        return None
    smooth = [(steps, smoothed(values)) for steps, values in recorded]
    if len(recorded) == 1:
        latest = float(recorded[0][1][-1])
        return Line(group.name, number, smooth[0], faint=(recorded[0],), latest=latest)
    return replace(_several(group.name, number, smooth), latest=_latest(recorded))


def _latest(recorded: Sequence[Curve]) -> float:
    """Return the IQM of a group's recorded figures where the score table compares its runs."""
    end = common_step([float(steps[-1]) for steps, _ in recorded])
    reaching = [np.interp(end, *points) for points in recorded if points[0][-1] >= end]
    return float(interquartile_mean(reaching))


def _several(name: str, number: int, curves: Sequence[Curve]) -> Line:
    end = common_step([float(steps[-1]) for steps, _ in curves])
    grid, values = on_grid([points for points in curves if points[0][-1] >= end], GRID_POINTS)
    single = tuple(curves) if len(curves) <= MOST_SINGLE_LINES else ()
    if not len(grid):  # no env step in common: the one that got furthest stands for all
        return Line(name, number, max(curves, key=lambda points: points[0][-1]), faint=single)
    mean = np.asarray(interquartile_mean(values))
    band = bootstrap_interval([values], resamples=RESAMPLES)
    return Line(name, number, (grid, mean), band, single)
