"""--train_encoder: learn a representation of observations from rollouts on disk."""

import argparse

from commands.common import (
    add_continuing,
    note_recipe,
    path,
    positive_int,
    typed_recipe,
)
from commands.dataset_flags import add_dataset_flags, add_environment, check_dataset
from commands.parser import VERBS_TITLE, Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.loading import LoadedConfig

EXAMPLE = """\
  python main.py --train_encoder --config_path=configs/CarRacing/vae.conf \\
      --dataset data/car_racing --model_dir runs/vae"""
# The keys that have a flag of their own.
FLAGS = {
    "model": "Model",
    "representation_size": "RepresentationSize",
    "train_steps": "TrainSteps",
    "batch_size": "EncoderBatchSize",
    "learning_rate": "EncoderLearningRate",
    "obs_sampled_per_rollout": "ObsSampledPerRollout",
    "save_every_n_steps": "SaveEveryNSteps",
    "seed": "Seed",
}


def add_flags(parser: Parser) -> None:
    """Add --train_encoder and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--train_encoder",
        action="store_true",
        help="learn a representation of observations from rollouts on disk",
    )
    add_dataset_flags(parser)
    add_continuing(parser)
    add_environment(parser)
    group = parser.group("learning a representation (--train_encoder)")
    group.add_argument(
        "--model_dir", type=path, metavar="DIR", help="where the model and its curves are kept"
    )
    for flag, key in (
        ("--train_steps", "TrainSteps"),
        ("--representation_size", "RepresentationSize"),
        ("--batch_size", "EncoderBatchSize"),
        ("--obs_sampled_per_rollout", "ObsSampledPerRollout"),
        ("--save_every_n_steps", "SaveEveryNSteps"),
    ):
        group.add_argument(flag, type=positive_int, metavar="N", help=f"key {key}")
    group.add_argument("--learning_rate", metavar="X", help="key EncoderLearningRate")


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a dataset or of a place for the model."""
    note_recipe(parser, args)
    check_dataset(parser, args, "--train_encoder")
    if args.model_dir is None:
        parser.error("--train_encoder needs --model_dir: the folder of the model")


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    import os
    import shlex
    import sys

    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.offline.options import OfflineOptions
    from training.ranks.restarts import check_restarts
    from workers.early_signals import delay_interrupts

    check_restarts()
    values = {key: getattr(args, flag) for flag, key in FLAGS.items()}
    given = [f"{key}={value}" for key, value in values.items() if value is not None]
    loaded = load_config(typed_recipe(args), [*args.overrides, *given])
    options = OfflineOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        model_dir=args.model_dir,
        dataset=args.dataset,
        split=args.split or "train",
        environment=args.environment or _environment_of(loaded),
        gpu_id=args.gpu_id,
        resume=args.resume,
        overwrite=args.overwrite,
    )
    delay_interrupts()
    from training.offline.encoders import ENCODERS
    from training.offline.launch import train_offline

    return train_offline(options, loaded, ENCODERS)


def _environment_of(loaded: "LoadedConfig") -> "str | None":
    """Return the environment that the recipe or the command line names, if they name one."""
    return None if loaded.sources["EnvID"] == "default" else loaded.config.environment.env_id
