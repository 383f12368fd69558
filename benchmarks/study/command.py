"""The study: which of six ways to explore finds the goal of a small maze, and how soon?

    python -m benchmarks.study --seeds 1 2 3 --env_steps 400000 --folder runs-local/study
    python -m benchmarks.study --only PPO RND --layouts 1 3 --set Nuisance=noise

Every arm is trained on every layout with every seed, each run a process of main.py with one torch
thread. Runs that are done are not repeated and one that was interrupted goes on, so the same
command continues a study; once all are done it writes study.md and study.png into its folder.
"""

import argparse
import importlib.util
import os
from collections.abc import Sequence

from benchmarks.drawing import load_matplotlib
from benchmarks.ending import Once, Parser, add_place, add_seeds, goes_on
from benchmarks.many_runs import ManyRuns, Task
from benchmarks.study.plan import ARMS, Plan, prepare
from benchmarks.study.report import write_report
from benchmarks.study.results import read_result
from benchmarks.study_folder import file_name
from configs.errors import ConfigurationError

NAMES = [file_name(arm) for arm in ARMS]  # of arms, as a shell takes them


def study(plan: Plan, parallel: int) -> int:
    """Run what is not done, write the page of all that is; return the exit code.

    Raises:
        ScoutError: the study cannot begin, or its page cannot be written.
        KeyboardInterrupt: it was interrupted; the runs under way have been saved.
    """
    prepare(plan)
    waiting = [job for job in plan.jobs if not plan.is_done(job)]
    print(f"{len(plan.jobs)} runs, {len(waiting)} of them still to do", flush=True)
    runs = ManyRuns(plan.folder, parallel)
    runs.run([Task(job.name, [plan.arguments(job)]) for job in waiting])
    done = [job for job in plan.jobs if job.name not in runs.failed]
    missing = [job for job in plan.jobs if job.name in runs.failed]
    if done:
        page = write_report(plan, [read_result(plan, job) for job in done], missing)
        print(page.read_text(encoding="utf-8"))
        print(f"page: {page}")
    return runs.end()


def check_packages() -> None:
    """See that hours of training will not end for want of a package.

    Raises:
        ConfigurationError: one is missing.
    """
    load_matplotlib()
    if importlib.util.find_spec("minigrid") is None:
        raise ConfigurationError("the study needs minigrid: pip install -r requirements-study.txt")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(
        prog="python -m benchmarks.study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0))
    add_seeds(parser, [1, 2, 3])
    parser.add_argument(
        "--layouts",
        type=int,
        nargs="+",
        action=Once,
        default=[1],
        metavar="N",
        help="maps (LayoutSeed), each for all arms and seeds (1)",
    )
    parser.add_argument("--env_steps", type=int, default=400_000, help="of each run (%(default)s)")
    parser.add_argument(
        "--only",
        type=file_name,
        nargs="+",
        action=Once,
        choices=NAMES,
        default=NAMES,
        metavar="ARM",
        help=f"ways to explore, of {' '.join(NAMES)} (all)",
    )
    parser.add_argument("--jobs", type=int, default=cores, help="runs at a time (%(default)s)")
    add_place(parser, "runs-local/study")
    options = parser.parse_args(argv)
    if options.jobs < 1 or options.env_steps < 1:
        parser.error("--jobs and --env_steps must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the study; return the exit code."""
    options = parse(argv)
    plan = Plan(
        folder=options.folder.resolve(),
        arms={name: arm for name, arm in ARMS.items() if file_name(name) in options.only},
        layouts=options.layouts,
        seeds=options.seeds,
        env_steps=options.env_steps,
        overrides=options.set,
    )

    def work() -> int:
        check_packages()
        return study(plan, options.jobs)

    return goes_on(work)
