"""The study: do TD3's critics learn better from a code of the state, from what follows, from both?

    python -m benchmarks.td3_study --environment pendulum --seeds 1 2 3 4 5
    python -m benchmarks.td3_study --environment lunar_lander --env_steps 300000 --use finetune

M1, an autoencoder of states, and M2, a model of transitions, learn from play without a policy; then
four kinds of critics are trained with every seed, one run after the other. What is done is not
repeated and a run that was interrupted goes on, so the same command continues a study; once all are
done it writes td3_study.md and td3_study.png into its folder.
"""

import argparse
from collections.abc import Sequence

from benchmarks.drawing import load_matplotlib
from benchmarks.ending import Once, Parser, add_place, add_seeds, goes_on
from benchmarks.many_runs import ManyRuns
from benchmarks.study_folder import keep_study
from benchmarks.td3_study.plan import ARM_OF, RECIPES, Plan
from benchmarks.td3_study.report import write_report


def study(plan: Plan) -> int:
    """Run what is not done, write the page of all that is; return the exit code.

    Raises:
        ScoutError: the study cannot begin, or its page cannot be written.
        KeyboardInterrupt: it was interrupted; the run under way has been saved.
    """
    prepare(plan)
    models = ManyRuns(plan.folder, 1)
    models.run(plan.models())
    if models.failed:
        return models.end()
    runs = ManyRuns(plan.folder, 1)
    runs.run([task for job in plan.jobs if (task := plan.task(job)).commands])
    done = [job for job in plan.jobs if job.name not in runs.failed]
    if done:
        page = write_report(plan, done)
        print(page.read_text(encoding="utf-8"))
        print(f"page: {page}")
    return runs.end()


def prepare(plan: Plan) -> None:
    """Make the study's folder, or see that what lies there belongs to the same study.

    Raises:
        ConfigurationError: it is another one's, its recipe has changed, or an override cannot be.
        StorageError: the folder cannot be written.
    """
    recipes = {plan.environment: RECIPES[plan.environment]}
    keep_study(plan.folder, plan.settings, recipes, plan.overrides)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(
        prog="python -m benchmarks.td3_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--environment", choices=RECIPES, default="pendulum", help="whose recipe (%(default)s)"
    )
    add_seeds(parser, [1, 2, 3, 4, 5])
    parser.add_argument("--env_steps", type=int, default=20_000, help="of each run (%(default)s)")
    parser.add_argument(
        "--policy",
        choices=["random", "brownian"],
        default="brownian",
        help="what plays for M1 and M2 to learn from (%(default)s)",
    )
    parser.add_argument("--rollouts", type=int, default=50, help="episodes of it (%(default)s)")
    parser.add_argument("--model_steps", type=int, default=2_000, help="of M1 and M2 (%(default)s)")
    parser.add_argument(
        "--use",
        choices=["frozen", "finetune"],
        default="frozen",
        help="whether the critics' loss trains M1 and M2 further (%(default)s)",
    )
    parser.add_argument("--episodes", type=int, default=20, help="of an evaluation (%(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        action=Once,
        choices=ARM_OF,
        default=list(ARM_OF),
        metavar="ARM",
        help=f"what the critics see, of {' '.join(ARM_OF)} (all)",
    )
    add_place(parser, "runs-local/td3_study")
    options = parser.parse_args(argv)
    if min(options.env_steps, options.rollouts, options.model_steps, options.episodes) < 1:
        parser.error("--env_steps, --rollouts, --model_steps and --episodes must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the study; return the exit code."""
    options = parse(argv)
    plan = Plan(
        folder=options.folder.resolve(),
        environment=options.environment,
        arms=[ARM_OF[name] for name in options.only],
        seeds=options.seeds,
        env_steps=options.env_steps,
        policy=options.policy,
        rollouts=options.rollouts,
        model_steps=options.model_steps,
        use=options.use,
        episodes=options.episodes,
        overrides=options.set,
    )

    def work() -> int:
        load_matplotlib()
        return study(plan)

    return goes_on(work)
