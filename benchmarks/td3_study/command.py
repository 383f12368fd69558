"""The study: do TD3's critics learn better from a code of the state, from what follows, from both?

    python -m benchmarks.td3_study --environment pendulum --seeds 1 2 3 4 5
    python -m benchmarks.td3_study --environment lunar_lander --env_steps 300000 --use finetune

M1, an autoencoder of states, and M2, a model of transitions, learn from play without a policy; then
four kinds of critics are trained with every seed, one run after the other. What is done is not
repeated and a run that was interrupted goes on, so the same command continues a study; once all are
done it writes td3_study.md and td3_study.png into its folder.
"""

import argparse
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.drawing import load_matplotlib
from benchmarks.ending import Parser, end_with
from benchmarks.runs import start_main_py
from benchmarks.stopping import STOP_SIGNALS
from benchmarks.td3_study.plan import ARMS, RECIPES, Job, Plan
from benchmarks.td3_study.report import write_report
from configs.errors import ConfigurationError, ScoutError
from training.folders.files import read_json, replace_file

INTERRUPTED = 130
SETTINGS = "study.json"


def study(plan: Plan) -> int:
    """Run what is not done, write the page of all that is; return the exit code.

    Raises:
        ScoutError: the study cannot begin, or its page cannot be written.
        KeyboardInterrupt: it was interrupted; the run under way has been saved.
    """
    prepare(plan)
    for name, command in plan.models().items():
        made = plan.folder / "models" / f"{name}.done"
        if not made.exists() and not _run(plan, name, command):
            return _failed(plan, [name])
        replace_file(made, b"")
    failed = [job.name for job in plan.jobs if not _train_and_evaluate(plan, job)]
    done = [job for job in plan.jobs if job.name not in failed]
    if done:
        page = write_report(plan, done)
        print(page.read_text(encoding="utf-8"))
        print(f"page: {page}")
    return _failed(plan, failed) if failed else 0


def prepare(plan: Plan) -> None:
    """Make the study's folder, or see that what lies there belongs to the same study.

    Raises:
        ConfigurationError: it is another one's.
        StorageError: the folder cannot be written.
    """
    began = read_json(plan.folder / SETTINGS)
    if began is not None and began != plan.settings:
        raise ConfigurationError(
            f"the study in {plan.folder} was begun with {began}, not with {plan.settings}; name "
            "another --folder"
        )
    plan.folder.mkdir(parents=True, exist_ok=True)
    replace_file(plan.folder / SETTINGS, (json.dumps(plan.settings) + "\n").encode())


def _train_and_evaluate(plan: Plan, job: Job) -> bool:
    """Bring a run to its end and to its score; return whether it got there."""
    if plan.is_trained(job) and plan.score(job) is not None:
        return True
    if not plan.is_trained(job) and not _run(plan, job.name, plan.training(job)):
        return False
    return _run(plan, job.name, plan.evaluation(job))


def _run(plan: Plan, name: str, command: Sequence[str]) -> bool:
    """Run main.py in the study's folder; say how it ended and return whether well."""
    output = plan.folder / "output" / f"{name}.txt"
    process = start_main_py(command, plan.folder, output)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    print(f"{name} {command[0]}: {'done' if code == 0 else f'exit code {code}'}", flush=True)
    return code == 0


def _failed(plan: Plan, names: Sequence[str]) -> int:
    return end_with(
        1,
        f"error: {len(names)} failed ({', '.join(names)}); what each said is in "
        f"{plan.folder / 'output'}; the same command continues",
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(
        prog="python -m benchmarks.td3_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--environment", choices=RECIPES, default="pendulum")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--env_steps", type=int, default=20_000, help="of each run (%(default)s)")
    parser.add_argument("--policy", choices=["random", "brownian"], default="brownian")
    parser.add_argument("--rollouts", type=int, default=50, help="episodes of it (%(default)s)")
    parser.add_argument("--model_steps", type=int, default=2_000, help="of M1 and M2 (%(default)s)")
    parser.add_argument("--use", choices=["frozen", "finetune"], default="frozen")
    parser.add_argument("--episodes", type=int, default=20, help="of an evaluation (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--folder", type=Path, default=Path("runs-local/td3_study"))
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
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
        arms=options.only,
        seeds=options.seeds,
        env_steps=options.env_steps,
        policy=options.policy,
        rollouts=options.rollouts,
        model_steps=options.model_steps,
        use=options.use,
        episodes=options.episodes,
        overrides=options.set,
    )
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        load_matplotlib()
        return study(plan)
    except ScoutError as error:
        return end_with(error.exit_code, f"error: {error}")
    except KeyboardInterrupt:
        return end_with(INTERRUPTED, "interrupted; the same command continues")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
