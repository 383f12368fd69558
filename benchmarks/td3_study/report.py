"""The page: curves with bands, a table of arms, a table of runs."""

from pathlib import Path

import numpy as np

from benchmarks.drawing import Panels
from benchmarks.td3_study.plan import Job, Plan
from training.folders.files import replace_file
from training.folders.versions import collect_versions
from training.reports.intervals import bootstrap_interval, interquartile_mean
from training.reports.rows import SCORE, Curve, Values, curve, read_rows

PICTURE, PAGE = "td3_study.png", "td3_study.md"
HEADING = "# TD3: does it help the critics to see a code of the state, or what follows?"
PANEL = "score, mean of the last 100 training episodes"
POINTS = 100


def write_report(plan: Plan, done: list[Job]) -> Path:
    """Draw the curves, write the tables; return the page's path.

    Args:
        plan: the study.
        done: the runs that were trained and evaluated, at least one.

    Raises:
        StorageError: a file cannot be written.
    """
    by_arm = {arm: [job for job in done if job.arm == arm] for arm in plan.arms}
    by_arm = {arm: jobs for arm, jobs in by_arm.items() if jobs}
    _draw(plan, by_arm)
    versions = collect_versions()
    facts = ("commit", "cpu", "cores", "python", "torch")
    seeds = ", ".join(map(str, plan.seeds))
    blocks = [
        HEADING,
        f"{plan.environment}, {plan.env_steps:,} env steps a run, seeds {seeds}. M1 and M2 learnt "
        f"from {plan.rollouts} episodes of {plan.policy} play, {plan.model_steps:,} steps each, "
        f"and are {'at rest' if plan.use == 'frozen' else 'trained further by the critics'}. Set "
        f"beside the recipe: {', '.join(plan.overrides) or 'nothing'}.",
        ", ".join(f"{fact} {versions.get(fact, 'unknown')}" for fact in facts) + ".",
        f"![curves]({PICTURE})",
        arms_table(plan, by_arm),
        f"Score: greedy, {plan.episodes} episodes at the end. In training: the last 100 episodes, "
        "or all if there were fewer, with noise; this does not hang on one policy alone. IQM: the "
        "mean without the lowest and the highest quarter of the runs (with fewer than four, of "
        "all), with its 95 % bootstrap interval (Agarwal et al. 2021, arXiv 2108.13264).",
        "## Every run",
        runs_table(plan, done),
    ]
    page = plan.folder / PAGE
    replace_file(page, ("\n\n".join(blocks) + "\n").encode())
    return page


def arms_table(plan: Plan, by_arm: dict[str, list[Job]]) -> str:
    """Return one row for each arm, as a Markdown table."""
    lines = [
        "| critics | runs | score, IQM | lowest | highest | in training, IQM |",
        "|---|---|---|---|---|---|",
    ]
    for arm, jobs in by_arm.items():
        scores = np.array([plan.score(job) for job in jobs], np.float64)
        curves = [_curve(plan, job)[1] for job in jobs]
        trained = np.array([each[-1] for each in curves if len(each)])
        ends = (f"{scores.min():.1f}", f"{scores.max():.1f}")
        cells = (arm, str(len(jobs)), _middle(scores), *ends)
        lines.append(f"| {' | '.join(cells)} | {_middle(trained) if len(trained) else 'none'} |")
    return "\n".join(lines)


def _middle(scores: Values) -> str:
    low, high = bootstrap_interval([scores])
    return f"{interquartile_mean(scores):.1f} [{low:.1f}, {high:.1f}]"


def _curve(plan: Plan, job: Job) -> Curve:
    return curve(read_rows(plan.run_folder(job)), SCORE)


def runs_table(plan: Plan, jobs: list[Job]) -> str:
    """Return one row for each run, as a Markdown table."""
    rows = [f"| {job.name} | {job.arm} | {plan.score(job):.1f} |" for job in jobs]
    return "\n".join(["| run | critics | score |", "|---|---|---|", *rows])


def _draw(plan: Plan, by_arm: dict[str, list[Job]]) -> None:
    """Draw each arm's IQM over its runs, with its interval."""
    panels, grid = Panels([PANEL]), np.linspace(plan.env_steps / POINTS, plan.env_steps, POINTS)
    for arm, jobs in by_arm.items():
        found = [_curve(plan, job) for job in jobs]
        scores = np.array([np.interp(grid, *each) for each in found if len(each[0])])
        if len(scores):
            mean = interquartile_mean(scores)
            panels.draw(PANEL, arm, (grid, mean), bootstrap_interval([scores]))
    panels.save(plan.folder / PICTURE)
