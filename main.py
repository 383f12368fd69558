"""Scout's command line: parse, load the configuration, call one run.

Worker processes are spawned and run this file's top level again: it imports nothing heavy.
"""

import argparse
import difflib
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PATIENCE = 20.0  # seconds
EPILOG = """\
examples:
  torchrun --nnodes 1 --nproc_per_node 1 --standalone main.py --train \\
      --config_path=configs/demo_config.conf --log_name=demo
  python main.py --eval --config_path=configs/demo_config.conf \\
      --load_model_path=checkpoints/demo.ckpt
  python main.py --export --config_path=configs/demo_config.conf \\
      --load_model_path=checkpoints/demo.ckpt
  python main.py --report demo demo_no_bonus
  python main.py --train --config_options

exit codes: 0 done; 2 bad configuration or command line; 3 checkpoint refused; 4 environment failed;
5 training went non-finite; 6 a peer was lost; 7 storage; 75 stopped on request, state saved.
"""


class Parser(argparse.ArgumentParser):
    """Names the nearest flag where one is unknown."""

    def parse_args(  # type: ignore[override]  # one signature is enough here
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse all of `args`; unknown ones are errors with a suggestion."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error("; ".join(self._describe(argument) for argument in unknown))
        return parsed

    def _describe(self, argument: str) -> str:
        name = argument.split("=", maxsplit=1)[0]
        near = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.5)
        return f"unknown argument {name}" + (f"; did you mean {near[0]}?" if near else "")

    def error(self, message: str) -> NoReturn:
        """Print one line, on the first process of a node alone, and exit with 2."""
        if is_first_of_node():
            print(f"main.py: {message} (main.py -h lists all flags)", file=sys.stderr)
        else:
            let_the_first_speak()
        sys.exit(2)


def is_first_of_node() -> bool:
    """Return whether this process says what all processes of its node find in the same way."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def let_the_first_speak() -> None:
    """Wait to be ended: torchrun ends all processes as soon as one of them has left."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(PATIENCE)


def positive_int(text: str) -> int:
    """Parse a whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def build_parser() -> Parser:
    """Return the parser of all flags."""
    parser = Parser(
        prog="main.py",
        description="Train, evaluate and compare PPO agents that explore by prediction error.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    mode = parser.add_argument_group("run mode (exactly one)")
    mode.add_argument("--train", action="store_true", help="train an agent")
    mode.add_argument("--eval", action="store_true", help="evaluate a checkpoint, in one process")
    mode.add_argument(
        "--export", action="store_true", help="write a checkpoint's policy for use elsewhere"
    )
    mode.add_argument(
        "--report",
        nargs="+",
        metavar="LOG_NAME",
        help="write a page with curves and tables for each run, and one that compares several",
    )
    mode.add_argument(
        "--config_options", action="store_true", help="print all configuration keys and exit"
    )
    add_common_flags(parser)
    add_training_flags(parser)
    add_evaluation_flags(parser)
    add_profiling_flags(parser)
    return parser


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that all modes share."""
    common = parser.add_argument_group("all modes")
    common.add_argument(
        "--config_path",
        type=Path,
        default=Path("configs/demo_config.conf"),
        help="recipe (default %(default)s)",
    )
    common.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="Key=Value",
        help="override a configuration key; repeatable",
    )
    common.add_argument("--log_name", help="name of the run (default: from the recipe's path)")
    common.add_argument(
        "--load_model_path", type=Path, help="checkpoint to continue from, evaluate or export"
    )
    common.add_argument("--seed", type=int, help="the run's seed (key Seed)")
    common.add_argument(
        "--num_env_per_process",
        type=positive_int,
        metavar="N",
        help="environments of each agent process (key NumEnv)",
    )
    common.add_argument(
        "--num_workers",
        type=positive_int,
        metavar="N",
        help="worker processes or emulator threads of each rank (default: its share of the cores)",
    )
    common.add_argument("--gpu_id", type=int, help="the GPU to use, with one process only")


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of training alone."""
    training = parser.add_argument_group("training")
    training.add_argument(
        "--save_model_path", type=Path, help="checkpoint to write (default checkpoints/NAME.ckpt)"
    )
    training.add_argument(
        "--resume",
        action="store_true",
        help="continue the run of this name from its newest good checkpoint",
    )
    training.add_argument(
        "--overwrite", action="store_true", help="replace an existing run of this name"
    )
    training.add_argument(
        "--max_env_steps", type=positive_int, metavar="N", help="env steps in all (TotalEnvSteps)"
    )
    training.add_argument(
        "--use_wandb",
        action="store_true",
        help="mirror the curves to Weights & Biases; the key comes from the environment",
    )


def add_evaluation_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of evaluation, report and export."""
    evaluation = parser.add_argument_group("evaluation")
    evaluation.add_argument(
        "--episodes", type=positive_int, default=20, help="episodes to play (default 20)"
    )
    evaluation.add_argument(
        "--greedy", action="store_true", help="take the likeliest action instead of sampling"
    )
    evaluation.add_argument(
        "--video",
        action="store_true",
        help="also write an mp4 of one game, with bonus, values and a map",
    )
    parser.add_argument_group("report and export").add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="where the report of one run, or the comparison of several, is written as .html "
        "(default logs/runs/NAME/report.html, logs/reports); the folder of an export (default "
        "exports/NAME)",
    )


def add_profiling_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that end a run after a few rollouts."""
    profiling = parser.add_argument_group("profiling (the run stops by itself)")
    profiling.add_argument(
        "--scalene_profiling",
        "--profile_updates",
        dest="profile_updates",
        type=positive_int,
        metavar="N",
        help="stop after N rollouts; for scalene, kernprof and the like",
    )
    profiling.add_argument(
        "--pytorch_profiling",
        action="store_true",
        help="record two updates with torch.profiler, then stop",
    )


def default_log_name(config_path: Path) -> str:
    """Return a run's name from its recipe: configs/Pong/config_ppo00.conf -> Pong_ppo00."""
    stem = re.sub(r"(^config_|_config$)", "", config_path.stem)
    folder = config_path.parent.name
    return stem if folder in ("", "configs") else f"{folder}_{stem}"


def check_modes(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse combinations that contradict each other."""
    if [args.train, args.eval, args.export, args.report is not None].count(True) != 1:
        parser.error("exactly one of --train, --eval, --export and --report is needed")
    if args.out is not None and (args.train or args.eval):
        parser.error("--out says where a report or an export goes; it needs --report or --export")
    if (args.eval or args.export) and args.load_model_path is None:
        parser.error(f"--{'eval' if args.eval else 'export'} needs --load_model_path")
    if args.resume and args.overwrite:
        parser.error("--resume continues a run and --overwrite replaces it; give one of them")


def collect_overrides(args: argparse.Namespace) -> list[str]:
    """Return the configuration keys set on the command line, as Key=Value."""
    flags = {
        "Seed": args.seed,
        "NumEnv": args.num_env_per_process,
        "TotalEnvSteps": args.max_env_steps,
    }
    return [
        *args.overrides,
        *(f"{key}={value}" for key, value in flags.items() if value is not None),
    ]


def run(args: argparse.Namespace) -> int:
    """Load the configuration and run; return the exit code."""
    if args.report is not None:
        from training.reports.writing import write_reports  # noqa: PLC0415

        return write_reports(args.report, args.out)
    from configs.loading import load_config  # noqa: PLC0415 - not needed by -h
    from training.folders.own_command import own_command  # noqa: PLC0415
    from training.options import RunOptions  # noqa: PLC0415
    from training.ranks.restarts import check_restarts  # noqa: PLC0415

    check_restarts()
    loaded = load_config(args.config_path, collect_overrides(args))
    given = args.log_name is not None  # an empty one is refused
    log_name = args.log_name if given else default_log_name(args.config_path)
    options = RunOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        log_name=log_name,
        save_model_path=args.save_model_path or Path("checkpoints") / f"{log_name}.ckpt",
        load_model_path=args.load_model_path,
        num_workers=args.num_workers,
        gpu_id=args.gpu_id,
        resume=args.resume,
        overwrite=args.overwrite,
        profile_updates=args.profile_updates,
        pytorch_profiling=args.pytorch_profiling,
        use_wandb=args.use_wandb,
        episodes=args.episodes,
        greedy=args.greedy,
        video=args.video,
        out=args.out,
    )
    # torch is imported here and not above: see the module's text.
    if args.train:
        from training.launch import train  # noqa: PLC0415

        return train(options, loaded)
    if args.export:
        from training.exporting.writing import export_policy  # noqa: PLC0415

        return export_policy(options, loaded)
    from training.playing.evaluation import evaluate_checkpoint  # noqa: PLC0415

    return evaluate_checkpoint(options, loaded)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.config_options:
        from configs.describe import describe_options  # noqa: PLC0415

        print(describe_options())
        return 0
    check_modes(parser, args)
    from workers.parent import die_with_torchrun  # noqa: PLC0415

    die_with_torchrun()
    # Threads that wait for each other by spinning starve beside a busy neighbour: ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from configs.errors import ConfigurationError, ScoutError  # noqa: PLC0415

    try:
        return run(args)
    except ScoutError as error:
        # What every process of a node finds in the same way is said once.
        if isinstance(error, ConfigurationError) and not is_first_of_node():
            let_the_first_speak()
        elif not error.repeated:
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def leave(code: int) -> NoReturn:
    """End the process at once: taking down torch's threads aborts now and then (SIGABRT).

    A profiler that runs this file needs the ordinary way out.
    """
    program = next((word for word in sys.orig_argv[1:] if not word.startswith("-")), "")
    if Path(program).name != Path(__file__).name:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
