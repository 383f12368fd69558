"""The page: curves with bands, a table of arms, a table of runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawing import Panels
from benchmarks.study_page import (
    WHAT_IQM_IS,
    draw_arms,
    env_step_grid,
    iqm_text,
    machine_line,
    markdown_table,
    score_curves,
)
from benchmarks.td3_study.plan import Job, Plan
from training.folders.files import replace_file

PICTURE, PAGE = "td3_study.png", "td3_study.md"
HEADING = "# TD3: does it help the critics to see a code of the state, or what follows?"
Reports = Mapping[Job, Mapping[str, Any]]
PANEL = "score, mean of the last 100 training episodes"


def write_report(plan: Plan, done: list[Job]) -> Path:
    """Draw the curves, write the tables; return the page's path.

    Args:
        plan: the study.
        done: the runs that were trained and evaluated, at least one.

    Raises:
        StorageError: a file cannot be written.
    """
    reports = {job: report for job in done if (report := plan.report(job))}
    by_arm = {arm: [job for job in reports if job.arm == arm] for arm in plan.arms}
    by_arm = {arm: jobs for arm, jobs in by_arm.items() if jobs}
    _draw(plan, by_arm)
    seeds = ", ".join(map(str, plan.seeds))
    blocks = [
        HEADING,
        f"{plan.environment}, {plan.env_steps:,} env steps a run, seeds {seeds}. M1 and M2 learnt "
        f"from {plan.rollouts} episodes of {plan.policy} play, {plan.model_steps:,} steps each, "
        f"and are {'at rest' if plan.use == 'frozen' else 'trained further by the critics'}. Set "
        f"beside the recipe: {', '.join(plan.overrides) or 'nothing'}.",
        machine_line(),
        f"![curves]({PICTURE})",
        arms_table(plan, by_arm, reports),
        f"Score: greedy, {plan.episodes} episodes at the end. In training: the last 100 episodes, "
        "or all if there were fewer, with noise; this does not hang on one policy alone. "
        f"{WHAT_IQM_IS}",
        "## Every run",
        runs_table(reports),
    ]
    page = plan.folder / PAGE
    replace_file(page, ("\n\n".join(blocks) + "\n").encode())
    return page


def arms_table(plan: Plan, by_arm: Mapping[str, Sequence[Job]], reports: Reports) -> str:
    """Return one row for each arm, as a Markdown table."""
    rows = []
    for arm, jobs in by_arm.items():
        scores = np.array([reports[job]["score"]["mean"] for job in jobs], np.float64)
        ends = (f"{scores.min():.1f}", f"{scores.max():.1f}")
        curves = score_curves([plan.run_folder(job) for job in jobs], env_step_grid(plan.env_steps))
        trained = iqm_text([[each[-1] for each in curves]], 1) if curves else "none"
        rows.append((arm, str(len(jobs)), iqm_text([scores], 1), *ends, trained))
    head = ("critics", "runs", "score, IQM", "lowest", "highest", "in training, IQM")
    return markdown_table(head, rows)


def runs_table(reports: Reports) -> str:
    """Return one row for each run, as a Markdown table."""
    rows = [
        (job.name, job.arm, f"{each['env_steps_trained']:,}", f"{each['score']['mean']:.1f}")
        for job, each in reports.items()
    ]
    return markdown_table(("run", "critics", "env steps", "score"), rows)


def _draw(plan: Plan, by_arm: Mapping[str, Sequence[Job]]) -> None:
    """Draw each arm's IQM over its runs, with its interval."""
    panels, grid = Panels([PANEL]), env_step_grid(plan.env_steps)
    arms = {
        arm: score_curves([plan.run_folder(job) for job in jobs], grid)
        for arm, jobs in by_arm.items()
    }
    draw_arms(panels, PANEL, grid, arms)
    panels.save(plan.folder / PICTURE)
