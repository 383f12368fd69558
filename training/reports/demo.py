"""Two runs side by side: their scores, and the states that each of them visited.

python -m training.reports.demo RUN OTHER_RUN reads both from logs/runs.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigurationError, ScoutError
from configs.loading import load_config
from training.figures.axes import axis_names
from training.figures.coverage import Coverage, draw_comparison
from training.folders.run_folder import LOGS, RunFolder
from training.live.console import final_message


@dataclass(frozen=True)
class RunSummary:
    """What the last row of a run's figures says, and where it has been."""

    name: str
    env_steps: int
    score: float | None
    coverage: Coverage
    env_id: str

    @property
    def score_text(self) -> str:
        """The mean of the last 100 training episodes in words."""
        return "no episode" if self.score is None else f"{self.score:,.1f}"


def read_run(name: str) -> RunSummary:
    """Read a run's last figures and visits.

    Raises:
        ConfigurationError: where the run is missing, or did not count states.
    """
    run = RunFolder(LOGS, name)
    try:
        last = json.loads((run.path / "metrics.jsonl").read_text().splitlines()[-1])
        coverage = Coverage.load(run.path / "visits.npz")
        config = load_config(run.path / "config.conf", []).config
    except (OSError, IndexError, ValueError, ConfigurationError) as error:
        raise ConfigurationError(
            f"run {name!r} in {run.path} cannot be compared: {error}; train it first, on state "
            "observations"
        ) from error
    score = last.get("charts/episodic_return")
    return RunSummary(name, last["env_steps"], score, coverage, config.environment.env_id)


def compare(names: list[str]) -> Path:
    """Print the runs' scores and draw their visits; return the picture's path."""
    runs = [read_run(name) for name in names]
    path = RunFolder(LOGS, names[0]).path / "visited_states.png"
    draw_comparison(
        [
            (
                run.name,
                f"{run.coverage.fraction_visited:.0%} of cells visited, score {run.score_text}",
                run.coverage,
            )
            for run in runs
        ],
        axis_names(runs[0].env_id),
        path,
    )
    width = max(len(run.name) for run in runs)
    lines = [
        f"{run.name:<{width}}  mean of the last 100 episodes {run.score_text:>10}  "
        f"states visited {run.coverage.fraction_visited:>4.0%}  env steps {run.env_steps:,}"
        for run in runs
    ]
    final_message("\n".join([*lines, f"picture: {path}"]))
    return path


def main() -> int:
    """Compare the runs named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="names of runs, the first one holds the picture")
    try:
        compare(parser.parse_args().runs)
    except ScoutError as error:
        final_message(f"error: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
