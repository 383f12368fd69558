"""The page: curves with bands, arms by environments, what the encoders know, all runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.drawing import Panels
from benchmarks.sprites_study.paths import draw_paths
from benchmarks.sprites_study.plan import ARMS, Job, Plan
from benchmarks.study_page import (
    WHAT_IQM_IS,
    draw_arms,
    env_step_grid,
    iqm_text,
    machine_line,
    markdown_table,
    score_curves,
)
from training.folders.files import replace_file
from training.probing.results import figure_text
from training.reports.intervals import interquartile_mean

PAGE, PICTURE, PATHS = "sprites_study.md", "sprites_study.png", "sprites_paths.png"
HEADING = "# Sprites: what does PPO lose by seeing through an encoder that rewards have made?"
# The mean of 120,000 episodes (docs/environments.md); rewards know nothing of what distracts.
RANDOM_PLAY = 28.18
PATHS_SHOW = (
    "An episode of each arm's first seed, with its score: the agent blue, the target red, from "
    "light to dark; grey lines join both at every fourth step."
)
FLOOR, CEILING = "random play", "oracle at the end"

Reports = Mapping[Job, Mapping[str, Any]]


def write_report(plan: Plan, done: Sequence[Job]) -> Path:
    """Draw the curves and paths, write the tables; return the page's path.

    Args:
        plan: the study.
        done: the runs that were trained and evaluated, at least one.

    Raises:
        StorageError: a file cannot be written.
    """
    reports = {job: report for job in done if (report := plan.report(job))}
    _draw_curves(plan, reports)
    games = {
        (job.arm, job.environment): folder
        for job in first_seeds(plan, reports)
        if (folder := plan.games(job)) is not None
    }
    has_paths = draw_paths(plan.arms, plan.environments, games, plan.folder / PATHS)
    sets = ", ".join(plan.overrides) or "nothing"
    told = ", ".join(f"{name} ({' '.join(ARMS[name].overrides)})" for name in _with_keys(plan))
    blocks = [
        HEADING,
        f"{plan.env_steps:,} env steps a run, seeds {', '.join(map(str, plan.seeds))}. Encoders "
        f"learnt from {plan.rollouts:,} episodes of random play, {plan.encoder_steps:,} steps. "
        f"Arms are recipes of configs/Sprites; set beside them: {sets}"
        f"{f'; in {told}' if told else ''}.",
        machine_line(),
        f"![curves]({PICTURE})",
        arms_table(plan, reports),
        f"Score: {plan.episodes} fresh episodes at the end, sampled actions, at most 40. "
        f"{WHAT_IQM_IS}",
        probes_table(plan),
        "" if not has_paths else f"![paths]({PATHS})",
        "" if not has_paths else PATHS_SHOW,
        "## Every run",
        runs_table(reports),
    ]
    page = plan.folder / PAGE
    replace_file(page, ("\n\n".join(block for block in blocks if block) + "\n").encode())
    return page


def first_seeds(plan: Plan, reports: Reports) -> list[Job]:
    """Return the runs of the first seed, whose games were kept."""
    return [job for job in reports if job.seed == plan.seeds[0]]


def scores_of(reports: Reports, environment: str, arm: str) -> list[float]:
    """Return the mean scores of an arm's runs in an environment."""
    found = [
        each for job, each in reports.items() if (job.environment, job.arm) == (environment, arm)
    ]
    return [float(each["score"]["mean"]) for each in found]


def arms_table(plan: Plan, reports: Reports) -> str:
    """Return one row for each arm and one of random play, a column an environment."""
    rows = []
    for arm in plan.arms:
        scores = [scores_of(reports, each, arm) for each in plan.environments]
        runs = ", ".join(str(len(found)) for found in scores)
        rows.append((arm, runs, *(iqm_text([found], 2) if found else "" for found in scores)))
    floor = f"{RANDOM_PLAY:.2f}"
    rows.append((FLOOR, "", *(floor for _ in plan.environments)))
    return markdown_table(("arm", "runs", *(f"Sprites-{each}" for each in plan.environments)), rows)


def probes_table(plan: Plan) -> str:
    """Return what each encoder knows of the state; nothing where none has been looked at."""
    rows = []
    for environment in plan.environments:
        probe = plan.probe(environment)
        if probe is not None:
            (model,) = probe["models"]
            told = zip(probe["state"], model["r_squared"], strict=True)
            known = ", ".join(f"{name} {figure_text(share)}" for name, share in told)
            rows.append((f"Sprites-{environment}", known))
    return markdown_table(("encoder of", "R² of a linear probe"), rows) if rows else ""


def runs_table(reports: Reports) -> str:
    """Return one row for each run, as a Markdown table."""
    head = ("run", "env steps", "score, 95 % interval over its episodes", "in training, last 100")
    rows = []
    for job, each in reports.items():
        score, trained = each["score"], each["training_score"]
        interval = (
            f"{score['mean']:.2f} [{score['interval_low']:.2f}, {score['interval_high']:.2f}]"
        )
        last = "" if trained is None else f"{trained:.2f}"
        rows.append((job.name, f"{each['env_steps_trained']:,}", interval, last))
    return markdown_table(head, rows)


def _with_keys(plan: Plan) -> list[str]:
    return [name for name in plan.arms if ARMS[name].overrides]


def _draw_curves(plan: Plan, reports: Reports) -> None:
    """Draw a panel for each environment: arms, random play below, the oracle above."""
    there = {job.environment for job in reports}
    titles = {each: f"Sprites-{each}, mean of 100 training episodes" for each in plan.environments}
    panels, grid = Panels(list(titles.values())), env_step_grid(plan.env_steps)
    for environment in (each for each in plan.environments if each in there):
        here = [job for job in reports if job.environment == environment]
        runs = {arm: [plan.run_folder(job) for job in here if job.arm == arm] for arm in plan.arms}
        curves = {arm: score_curves(found, grid) for arm, found in runs.items()}
        draw_arms(panels, titles[environment], grid, curves)
        panels.level(titles[environment], FLOOR, RANDOM_PLAY)
        ceiling = scores_of(reports, environment, "oracle")
        if ceiling:
            panels.level(titles[environment], CEILING, float(interquartile_mean(ceiling)))
    panels.save(plan.folder / PICTURE)
