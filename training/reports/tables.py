"""Tables: scores with intervals, configurations, evaluations, runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.options import all_options
from training.reports.groups import SEED_KEY, Group, seeds_text
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.markup import Markup, element, join
from training.reports.numbers import NOTHING, number_text
from training.reports.record import Record
from training.reports.rows import SCORE, Values, curve

ROOMS = "atari/rooms_total"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Markup:
    """Return a table that scrolls sideways where it is wide; the first column names a row.

    Args:
        head: of the columns.
        rows: cells as text or Markup.
        numbers: the cells after the first are numbers, set to the right.
    """
    lines = [
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])
        )
        for row in rows
    ]
    top = element("thead", element("tr", *(element("th", text, scope="col") for text in head)))
    whole = element(
        "table", top, element("tbody", *lines), class_="numbers" if numbers else "words"
    )
    return element("div", whole, class_="wide", tabindex="0")


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    """Return names and what they are, one below the other."""
    return element(
        "dl", join(element("div", element("dt", name), element("dd", text)) for name, text in pairs)
    )


def interval_text(scores: Sequence[float]) -> str:
    """Return the IQM of runs with its bootstrap interval; one run has none."""
    if not scores:
        return NOTHING
    mean = number_text(float(interquartile_mean(scores)))
    if len(scores) == 1:
        return mean
    low, high = bootstrap_interval([scores])
    return f"{mean} [{number_text(float(low))}, {number_text(float(high))}]"


def scores_until(record: Record, key: str, last_step: float) -> tuple[float, float] | None:
    """Return a figure at `last_step` and its mean until there; None where it has none so early."""
    steps, values = curve(record.rows, key)
    if not len(steps) or steps[0] > last_step:
        return None
    inside = steps <= last_step
    grid = np.append(steps[inside], last_step)
    heights: Values = np.interp(grid, steps, values)
    widths = np.diff(grid)
    mean = float((heights[1:] + heights[:-1]) @ widths / 2 / widths.sum()) if widths.sum() else None
    return float(heights[-1]), float(heights[-1]) if mean is None else mean


def score_table(groups: Sequence[Group], last_step: float) -> Markup:
    """Return one row for each group: scores where the shortest run ended, and at each run's end."""
    records = [run for group in groups for run in group.runs]
    with_rooms = any(len(curve(run.rows, ROOMS)[0]) for run in records)
    uneven = any(run.last_step > 1.02 * last_step for run in records)
    head = ["group", "runs", "seeds", f"return at {last_step:,.0f} env steps"]
    head += ["return at each run's end"] if uneven else []
    head += ["mean return until then"] + (["rooms entered by then"] if with_rooms else [])
    head += ["evaluation, newest of each run"] if any(run.evaluations for run in records) else []
    rows = []
    for group in groups:
        found = [scores_until(run, SCORE, last_step) for run in group.runs]
        then = [pair for pair in found if pair is not None]
        cells = [group.name, str(len(group.runs)), seeds_text(group)]
        cells.append(interval_text([final for final, _ in then]))
        if uneven:
            ends = (scores_until(run, SCORE, float(run.last_step)) for run in group.runs)
            cells.append(interval_text([pair[0] for pair in ends if pair is not None]))
        cells.append(interval_text([mean for _, mean in then]))
        if with_rooms:
            rooms = (scores_until(run, ROOMS, last_step) for run in group.runs)
            cells.append(interval_text([pair[0] for pair in rooms if pair is not None]))
        if head[-1].startswith("evaluation"):
            cells.append(interval_text([mean for run in group.runs for mean in _evaluated(run)]))
        rows.append(cells)
    return table(head, rows)


def _evaluated(record: Record) -> list[float]:
    """Return the mean score of the newest evaluation, if there is one."""
    for report in reversed(list(record.evaluations.values())):
        mean = report["score"].get("mean")
        if isinstance(mean, int | float):
            return [float(mean)]
    return []


def evaluation_table(records: Sequence[Record]) -> Markup | None:
    """Return one row for each evaluation of the runs; None without any."""
    head = ["run", "checkpoint at", "actions", "seed", "episodes", "mean score", "95 % interval"]
    head += ["IQM", "min", "max", "length", "rooms"]
    rows = [
        _evaluation_cells(record.name, report)
        for record in records
        for report in record.evaluations.values()
    ]
    return table(head, rows) if rows else None


def _evaluation_cells(name: str, report: Mapping[str, Any]) -> list[str]:
    score, length = report["score"], report.get("length")
    low, high = (number_text(score.get(f"interval_{end}")) for end in ("low", "high"))
    steps = report.get("env_steps_trained")
    rooms = report.get("rooms")
    return [
        name,
        f"{steps:,} env steps" if isinstance(steps, int) else NOTHING,
        str(report.get("action_choice", NOTHING)),
        str(report.get("seed", NOTHING)),
        str(report.get("episodes", NOTHING)),
        number_text(score.get("mean")),
        NOTHING if NOTHING in (low, high) else f"{low} to {high}",
        *(number_text(score.get(figure)) for figure in ("iqm", "min", "max")),
        number_text(length.get("mean")) if isinstance(length, dict) else NOTHING,
        str(len(rooms)) if isinstance(rooms, list) and rooms else NOTHING,
    ]


def default_table(record: Record) -> Markup | None:
    """Return the keys that a run sets to something else than the default; None without any."""
    defaults = {option.key: option.default for option in all_options().values()}
    rows = [
        (key, value, defaults.get(key, "no key of this version"))
        for key, value in record.config.items()
        if defaults.get(key) != value
    ]
    return table(["key", "this run", "default"], rows, numbers=False) if rows else None


def difference_table(groups: Sequence[Group]) -> Markup | None:
    """Return the keys in which groups differ; None without any. Seeds stand with the scores."""
    keys = dict.fromkeys(key for group in groups for key in group.runs[0].config)
    rows = []
    for key in keys:
        values = [group.runs[0].config.get(key, NOTHING) for group in groups]
        if key != SEED_KEY and len(set(values)) > 1:
            rows.append((key, *values))
    return table(["key", *(group.name for group in groups)], rows, numbers=False) if rows else None
