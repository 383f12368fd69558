"""The study: how much does PPO lose by seeing sprites through an encoder that rewards have made?

    python -m benchmarks.sprites_study --seeds 1 2 3 --env_steps 400000 --folder runs-local/sprites
    python -m benchmarks.sprites_study --environments v0 --arms oracle frozen --set Gamma=0.9

In each environment random play is collected and an encoder learns to predict rewards from it, once.
Then every arm is trained on it with every seed, each run a process of main.py with one torch
thread, and plays fresh episodes. What is done is not repeated and a run that was interrupted goes
on, so the same command continues a study; once all are done it writes sprites_study.md, its curves
and the paths of a few episodes into its folder.
"""

import argparse
import os
from collections.abc import Sequence

from benchmarks.drawing import load_matplotlib
from benchmarks.ending import Once, Parser, add_place, add_seeds, goes_on
from benchmarks.many_runs import ManyRuns
from benchmarks.sprites_study.plan import ARMS, ENVIRONMENTS, Plan, prepare
from benchmarks.sprites_study.report import write_report


def study(plan: Plan, parallel: int) -> int:
    """Run what is not done, write the page of all that is; return the exit code.

    Raises:
        ScoutError: the study cannot begin, or its page cannot be written.
        KeyboardInterrupt: it was interrupted; the runs under way have been saved.
    """
    prepare(plan)
    models = plan.models()
    print(f"{len(models)} encoders still to train", flush=True)
    runs = ManyRuns(plan.folder, parallel)
    runs.run(models)
    if runs.failed:
        return runs.end()
    tasks = [task for job in plan.jobs if (task := plan.task(job)).commands]
    print(f"{len(plan.jobs)} runs, {len(tasks)} of them still to do", flush=True)
    runs.run(tasks)
    done = [job for job in plan.jobs if job.name not in runs.failed]
    if done:
        page = write_report(plan, done)
        print(page.read_text(encoding="utf-8"))
        print(f"page: {page}")
    return runs.end()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(
        prog="python -m benchmarks.sprites_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--environments",
        nargs="+",
        action=Once,
        choices=ENVIRONMENTS,
        default=ENVIRONMENTS,
        help="versions of Sprites: 0, 1 or 2 sprites that distract (all)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        action=Once,
        choices=ARMS,
        default=list(ARMS),
        metavar="ARM",
        help=f"what the policy looks through, of {' '.join(ARMS)} (all)",
    )
    add_seeds(parser, [1, 2, 3])
    parser.add_argument("--env_steps", type=int, default=400_000, help="of each run (%(default)s)")
    parser.add_argument(
        "--rollouts", type=int, default=1000, help="episodes of random play (%(default)s)"
    )
    parser.add_argument(
        "--encoder_steps", type=int, default=1000, help="of an encoder (%(default)s)"
    )
    parser.add_argument("--episodes", type=int, default=100, help="of an evaluation (%(default)s)")
    parser.add_argument("--jobs", type=int, default=cores, help="runs at a time (%(default)s)")
    add_place(parser, "runs-local/sprites_study")
    options = parser.parse_args(argv)
    sizes = (options.env_steps, options.rollouts, options.encoder_steps, options.episodes)
    if min(*sizes, options.jobs) < 1:
        parser.error(
            "--env_steps, --rollouts, --encoder_steps, --episodes and --jobs must be at least 1"
        )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the study; return the exit code."""
    options = parse(argv)
    plan = Plan(
        folder=options.folder.resolve(),
        environments=options.environments,
        arms=options.arms,
        seeds=options.seeds,
        env_steps=options.env_steps,
        rollouts=options.rollouts,
        encoder_steps=options.encoder_steps,
        episodes=options.episodes,
        overrides=options.set,
    )

    def work() -> int:
        load_matplotlib()
        return study(plan, options.jobs)

    return goes_on(work)
