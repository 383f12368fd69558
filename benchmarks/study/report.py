"""The study's page: curves with bands, one table of arms, one of runs."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.drawing import Panels
from benchmarks.study.plan import Job, Plan
from benchmarks.study.results import (
    FALLEN,
    NEVER,
    ROOMS,
    STANDS,
    THRESHOLD,
    Result,
    by_layout,
)
from benchmarks.study_page import env_step_grid, iqm_text, machine_line, markdown_table
from training.folders.files import replace_file
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.rows import SCORE

BASELINE = "RND"  # the arm that times are compared with
PANELS = {"score, mean of the last 100 episodes": SCORE, "rooms entered per episode": ROOMS}
PICTURE, PAGE = "study.png", "study.md"
HEADING = "# Study: does representation learning help prediction-error exploration?"


def write_report(plan: Plan, results: Sequence[Result], missing: Sequence[Job]) -> Path:
    """Draw the curves, write the tables; return the page's path.

    Args:
        plan: the study.
        results: of all finished runs.
        missing: the runs that did not come to their end.

    Raises:
        StorageError: a file cannot be written.
    """
    by_arm = {name: [r for r in results if r.job.arm == name] for name in plan.arms}
    by_arm = {name: found for name, found in by_arm.items() if found}
    _draw(plan, by_arm)
    names = ", ".join(job.name for job in missing)
    blocks = [
        HEADING,
        f"{plan.env_steps:,} env steps a run; layouts {_listed(plan.layouts)}, seeds "
        f"{_listed(plan.seeds)}; set beside the recipes: {', '.join(plan.overrides) or 'nothing'}.",
        machine_line(),
        f"![curves]({PICTURE})",
        arms_table(by_arm),
        falls_text([result for found in by_arm.values() for result in found]),
        "IQM: the mean without the lowest and the highest quarter of the runs (with fewer than "
        "four, of all), with its 95 % bootstrap interval, stratified by layout (Agarwal et al. "
        "2021, arXiv 2108.13264); there is none where each layout has one run. Env steps are "
        "medians over the runs, in brackets the runs that got there of all. Rooms per episode are "
        "the mean of a whole run. Times are medians per "
        f"env step{f', as multiples of that of {BASELINE}' if BASELINE in by_arm else ''}.",
        f"Not finished: {names}." if missing else "",
        "## Every run",
        '"Lost": the most that an update of the second half of the run took from the probability '
        "of a state's likeliest action.",
        runs_table([result for found in by_arm.values() for result in found]),
    ]
    page = plan.folder / PAGE
    replace_file(page, ("\n\n".join(block for block in blocks if block) + "\n").encode())
    return page


def arms_table(by_arm: dict[str, list[Result]]) -> str:
    """Return one row for each arm, as a Markdown table."""
    head = [
        *("arm", "runs", "score at the end, IQM", "first goal"),
        *(f"mean of 100 at least {THRESHOLD}", "rooms per episode, IQM", "rooms in all", "time"),
    ]
    baseline = [result.microseconds for result in by_arm.get(BASELINE, ())]
    rows = []
    for arm, results in by_arm.items():
        time = statistics.median(result.microseconds for result in results)
        cells = (
            arm,
            str(len(results)),
            iqm_text(by_layout(results, [result.score for result in results]), 2),
            _median_text([result.first_goal for result in results]),
            _median_text([result.reached for result in results]),
            iqm_text(by_layout(results, [result.rooms for result in results]), 2),
            f"{statistics.mean(result.rooms_in_all for result in results):.1f}",
            f"{time / statistics.median(baseline):.2f}" if baseline else f"{time:.0f} us",
        )
        rows.append(cells)
    return markdown_table(head, rows)


def falls_text(results: Sequence[Result]) -> str:
    """Say how many runs stood at STANDS, and how many of them fell."""
    stood = [result for result in results if result.stood != NEVER]
    if not stood:
        return f"No run had a mean of 100 episodes of {STANDS}."
    lowest = min(stood, key=lambda result: result.score)
    return (
        f"{len(stood)} of {len(results)} runs had a mean of 100 episodes of {STANDS}, and "
        f"{sum(result.has_fallen for result in stood)} of them ended below {FALLEN}; the lowest, "
        f"{lowest.job.name}, ended at {lowest.score:.2f}."
    )


def runs_table(results: Sequence[Result]) -> str:
    """Return one row for each run, as a Markdown table."""
    head = [
        *("run", "score at the end", "highest", "first goal"),
        *(f"mean of 100 at least {THRESHOLD}", f"{STANDS}", "lost"),
        *("rooms per episode", "rooms in all", "env steps/s"),
    ]
    rows = [
        (
            result.job.name,
            f"{result.score:.2f}",
            f"{result.highest:.2f}",
            _steps_text(result.first_goal),
            _steps_text(result.reached),
            _steps_text(result.stood),
            f"{result.lost:.2f}",
            f"{result.rooms:.2f}",
            str(result.rooms_in_all),
            f"{1e6 / result.microseconds:,.0f}",
        )
        for result in results
    ]
    return markdown_table(head, rows)


def _draw(plan: Plan, by_arm: dict[str, list[Result]]) -> None:
    """Draw each arm's IQM over its runs, with its interval, at every point of the grid."""
    panels, grid = Panels(list(PANELS)), env_step_grid(plan.env_steps)
    for title, key in PANELS.items():
        for arm, results in by_arm.items():
            tasks = by_layout(results, [result.curves[key] for result in results])
            mean = interquartile_mean(np.concatenate(tasks))
            panels.draw(title, arm, (grid, mean), bootstrap_interval(tasks))
    panels.save(plan.folder / PICTURE)


def _median_text(steps: Sequence[float]) -> str:
    reached = sum(step != NEVER for step in steps)
    return f"{_steps_text(statistics.median(steps))} ({reached} of {len(steps)})"


def _steps_text(step: float) -> str:
    return "never" if step == NEVER else f"{step:,.0f}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
