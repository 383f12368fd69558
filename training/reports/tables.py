"""Tables: scores with intervals, configurations, runs."""

from collections.abc import Sequence

import numpy as np

from configs.options import all_options
from training.reports.evaluations import action_choices, evaluated
from training.reports.groups import SEED_KEY, Group, seeds_text
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.markup import Markup, element, join
from training.reports.numbers import NOTHING, number_text
from training.reports.record import Record
from training.reports.rows import SCORE, Values, curve
from training.reports.table import table

ROOMS = "atari/rooms_total"


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
    """Return a figure at `last_step` and its mean until there.

    None where the run has no such figure so early, or ended before.
    """
    steps, values = curve(record.rows, key)
    if not len(steps) or steps[0] > last_step or record.last_step < last_step:
        return None
    inside = steps <= last_step
    grid = np.append(steps[inside], last_step)
    heights: Values = np.interp(grid, steps, values)
    widths = np.diff(grid)
    mean = float((heights[1:] + heights[:-1]) @ widths / 2 / widths.sum()) if widths.sum() else None
    return float(heights[-1]), float(heights[-1]) if mean is None else mean


def score_table(groups: Sequence[Group], last_step: float) -> Markup:
    """Return one row for each group: scores at `last_step`, and at each run's end."""
    records = [run for group in groups for run in group.runs]
    with_rooms = any(len(curve(run.rows, ROOMS)[0]) for run in records)
    uneven = any(run.rows and abs(run.last_step - last_step) > 0.02 * last_step for run in records)
    choices = action_choices(records)
    head = ["group", "runs", "seeds", f"return at {last_step:,.0f} env steps"]
    head += ["return at each run's end"] if uneven else []
    head += ["mean return until then"] + (["rooms entered by then"] if with_rooms else [])
    head += [f"evaluation, {choice} actions, newest of each run" for choice in choices]
    rows = []
    for group in groups:
        size = len(group.runs)
        found = [scores_until(run, SCORE, last_step) for run in group.runs]
        then = [pair for pair in found if pair is not None]
        cells = [group.name, str(size), seeds_text(group)]
        cells.append(_of_runs([final for final, _ in then], size))
        if uneven:
            ends = (scores_until(run, SCORE, float(run.last_step)) for run in group.runs)
            cells.append(_of_runs([pair[0] for pair in ends if pair is not None], size))
        cells.append(_of_runs([mean for _, mean in then], size))
        if with_rooms:
            rooms = (scores_until(run, ROOMS, last_step) for run in group.runs)
            cells.append(_of_runs([pair[0] for pair in rooms if pair is not None], size))
        for choice in choices:
            means = [mean for run in group.runs for mean in evaluated(run, choice)]
            cells.append(_of_runs(means, size))
        rows.append(cells)
    return table(head, rows)


def _of_runs(scores: Sequence[float], size: int) -> str:
    """Return the interval of a group's runs; how many they are, where some have no figure."""
    text = interval_text(scores)
    return text if len(scores) in (0, size) else f"{text}, {len(scores)} of {size} runs"


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
