"""--collect: fill a dataset with episodes of a policy in an environment."""

import argparse

from commands.common import (
    add_continuing,
    add_policy,
    note_recipe,
    positive_int,
    typed_recipe,
)
from commands.dataset_flags import add_environment, add_written_dataset
from commands.parser import VERBS_TITLE, Parser
from commands.run_options import collect_overrides

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.loading import LoadedConfig

EXAMPLE = """\
  python main.py --collect --environment CartPole-v1 --policy random \\
      --num_rollouts 100 --out_dir data/cartpole"""


OUT_NAME = "rollouts"


def add_flags(parser: Parser) -> None:
    """Add --collect and the flags of collecting alone."""
    parser.group(VERBS_TITLE).add_argument(
        "--collect", action="store_true", help="fill a dataset with episodes of a policy"
    )
    add_continuing(parser)
    add_written_dataset(parser)
    add_environment(parser)
    add_policy(parser)
    collecting = parser.group("collecting (--collect)")
    collecting.add_argument(
        "--num_rollouts", type=positive_int, metavar="N", help="episodes to collect"
    )
    collecting.add_argument(
        "--parallelism",
        type=positive_int,
        metavar="N",
        help="episodes at once in each process (default: its share of the cores)",
    )
    collecting.add_argument(
        "--max_steps",
        type=positive_int,
        metavar="N",
        help="env steps after which an episode is truncated (key MaxStepPerEpisode)",
    )
    collecting.add_argument(
        "--observation_size",
        type=positive_int,
        metavar="N",
        help="frames of N x N pixels (keys PreProcHeight and PreProcWidth)",
    )
    collecting.add_argument(
        "--background",
        choices=["median"],
        help="store frames minus the median of each pixel over the episode",
    )
    collecting.add_argument(
        "--shard_size",
        type=positive_int,
        default=150,
        metavar="MB",
        help="megabytes of a file of the dataset (default 150)",
    )
    add_instances(parser)


def add_instances(parser: Parser) -> None:
    """Add the flags that number the instances of one command."""
    add_policy(parser)
    collecting = parser.group("collecting (--collect)")
    collecting.add_argument(
        "--instance",
        type=natural_int,
        metavar="I",
        help="which of --num_instances this one is, from 0, as in an array of jobs",
    )
    collecting.add_argument(
        "--num_instances",
        type=positive_int,
        metavar="N",
        help="instances of this command that share --num_rollouts",
    )


def natural_int(text: str) -> int:
    """Parse a whole number of 0 or more."""
    return 0 if text == "0" else positive_int(text)


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse what is missing, and instances that cannot be."""
    if args.num_rollouts is None or args.out_dir is None:
        parser.error("--collect needs --num_rollouts and --out_dir")
    note_recipe(parser, args)
    if (args.instance is None) != (args.num_instances is None):
        parser.error("--instance and --num_instances go together")
    if args.instance is not None and args.instance >= args.num_instances:
        parser.error(
            f"--instance {args.instance}: with --num_instances {args.num_instances} they are "
            f"numbered 0 to {args.num_instances - 1}"
        )


def run(args: argparse.Namespace) -> int:
    """Collect; return the exit code."""
    import os
    import shlex
    import sys

    from workers.processes.early_signals import delay_interrupts

    loaded = _load(args)
    delay_interrupts()
    from training.collecting.claims import Asked
    from training.collecting.collection import collect
    from training.collecting.options import CollectOptions
    from training.folders.own_command import own_command

    asked = Asked(
        num_rollouts=args.num_rollouts,
        instance=args.instance,
        num_instances=args.num_instances,
        resume=args.resume,
        overwrite=args.overwrite,
    )
    options = CollectOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        out_dir=args.out_dir,
        out_name=args.out_name or OUT_NAME,
        asked=asked,
        policy=args.policy or "random",
        parallelism=args.parallelism,
        num_workers=args.num_workers,
        gpu_id=args.gpu_id,
        greedy=args.greedy,
        background=args.background,
        observation_size=args.observation_size,
        shard_megabytes=args.shard_size,
    )
    return collect(options, loaded)


def _load(args: argparse.Namespace) -> "LoadedConfig":
    """Read the recipe, or take the defaults where none is typed; put the flags on top."""
    from configs.loading import load_config

    recipe = typed_recipe(args)
    overrides = collect_overrides(args)
    if args.max_steps is not None:
        overrides.append(f"MaxStepPerEpisode={args.max_steps}")
    if args.observation_size is not None:
        sides = ("PreProcHeight", "PreProcWidth")
        overrides += [f"{side}={args.observation_size}" for side in sides]
    if args.environment is not None:
        from training.collecting.environment_names import settings_for

        section = load_config(recipe, args.overrides).config.environment
        overrides += settings_for(args.environment, section)
    return load_config(recipe, overrides)
