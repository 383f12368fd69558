"""Learning curves over seeds: does a recipe learn what it should, and how soon?

Trains a recipe once per seed through the command line, evaluates every checkpoint, and prints one
Markdown table: when the first goal came, when the mean of the last 100 training episodes reached
the threshold, where it stood at the end, and the evaluation's mean.

    python benchmarks/learning.py --config configs/CartPole/config_ppo00.conf --threshold 475
    python benchmarks/learning.py --config configs/demo_config.conf --threshold -130 --floor -200
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Result:
    """What one seed came to; env steps are None where it never happened."""

    seed: int
    first_goal: int | None
    threshold_reached: int | None
    last_mean: float
    evaluation_mean: float
    evaluation_rooms: int


def main_py(*arguments: str) -> None:
    """Run main.py to its end in the current folder; print its output only where it fails."""
    command = [sys.executable, str(PROJECT / "main.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")


def read_rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a run's figures that tell of finished episodes."""
    lines = Path("logs/runs", name, "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "charts/episodic_return" in row]


def first_step(rows: list[dict[str, Any]], key: str, above: float) -> int | None:
    """Return the env steps of the first row whose `key` is greater than `above`."""
    return next((row["env_steps"] for row in rows if row[key] > above), None)


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
    report = json.loads(next(Path("logs/runs", name, "evaluation").glob("*.json")).read_text())
    rows = read_rows(name)
    full = [row for row in rows if row["charts/episodes"] >= 100]
    return Result(
        seed=seed,
        first_goal=first_step(rows, "charts/episodic_return_max", options.floor),
        threshold_reached=first_step(full, "charts/episodic_return", options.threshold),
        last_mean=rows[-1]["charts/episodic_return"],
        evaluation_mean=report["score"]["mean"],
        evaluation_rooms=len(report["rooms"]),
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


def main() -> None:
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
    for seed in options.seeds:
        results.append(train_and_evaluate(options, f"seed{seed}", seed))
        print(table(results[-1:], options).splitlines()[-1], flush=True)
    print()
    print(table(results, options))


if __name__ == "__main__":
    main()
