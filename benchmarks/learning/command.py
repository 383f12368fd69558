"""Learning curves over seeds: does a recipe learn what it should, and how soon?

Trains a recipe once per seed through the command line, evaluates every checkpoint, and prints one
Markdown table: when the first goal came, when the mean of the last 100 training episodes reached
the threshold, where it stood at the end, and the evaluation's mean.

    python -m benchmarks.learning --config configs/CartPole/config_ppo00.conf --threshold 475
    python -m benchmarks.learning --config configs/demo_config.conf --threshold -130 --floor -200
"""

import argparse
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import main_py
from benchmarks.stopping import stop_signals_raise
from training.reports.rows import RUNS, SCORE, first_score_above, mean_reached, read_rows


@dataclass(frozen=True)
class Result:
    """What one seed came to; env steps are None where it never happened."""

    seed: int
    first_goal: int | None
    threshold_reached: int | None
    last_mean: float
    evaluation_mean: float


def train_and_evaluate(options: argparse.Namespace, name: str, seed: int) -> Result:
    """Train one seed, evaluate its last checkpoint."""
    checkpoint = f"checkpoints/{name}.ckpt"
    overrides = [part for text in options.set for part in ("--set", text)]
    recipe = ["--config_path", str(options.config.resolve()), "--log_name", name, *overrides]
    main_py("--train", *recipe, "--seed", str(seed), "--save_model_path", checkpoint)
    main_py(
        *("--eval", *recipe, "--seed", str(seed + 1000), "--load_model_path", checkpoint),
        *("--episodes", str(options.episodes)),
    )
    report = json.loads(next((RUNS / name / "evaluation").glob("*.json")).read_text())
    rows = [row for row in read_rows(RUNS / name) if SCORE in row]
    return Result(
        seed=seed,
        first_goal=first_score_above(rows, options.floor),
        threshold_reached=mean_reached(rows, lambda mean: mean > options.threshold),
        last_mean=rows[-1][SCORE],
        evaluation_mean=report["score"]["mean"],
    )


def table(results: list[Result], options: argparse.Namespace) -> str:
    """Return the results as a Markdown table."""
    lines = [
        f"| seed | first score above {options.floor:g} | mean of the last 100 above "
        f"{options.threshold:g} | at the end | mean of {options.episodes} evaluation episodes |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        first, reached = (
            "never" if step is None else f"{step:,}"
            for step in (result.first_goal, result.threshold_reached)
        )
        lines.append(
            f"| {result.seed} | {first} | {reached} | {result.last_mean:,.1f} "
            f"| {result.evaluation_mean:,.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Parse, run all seeds one after the other, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="recipe")
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--threshold", type=float, required=True, help="of the mean of 100")
    parser.add_argument("--floor", type=float, default=0.0, help="score of a failed episode")
    parser.add_argument("--episodes", type=int, default=100, help="evaluation episodes")
    parser.add_argument("--folder", type=Path, required=True, help="new folder for the runs")
    options = parser.parse_args()
    options.config = options.config.resolve()
    if options.folder.exists():
        raise SystemExit(f"{options.folder} exists; name a new folder")
    options.folder.mkdir(parents=True)
    shutil.copy(options.config, options.folder / "recipe.conf")
    os.chdir(options.folder)
    results = []
    with stop_signals_raise():
        for seed in options.seeds:
            results.append(train_and_evaluate(options, f"seed{seed}", seed))
            print(table(results[-1:], options).splitlines()[-1], flush=True)
    print()
    print(table(results, options))
    return 0
