"""--train_encoder: learn a representation of observations from rollouts on disk."""

import argparse

from commands.common import positive_int
from commands.offline_training import add_offline_flags, check_offline, train_from_flags
from commands.parser import VERBS_TITLE, Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from training.offline.spec import Trained

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
    add_offline_flags(parser)
    group = parser.group("learning a representation (--train_encoder)")
    for flag, key in (
        ("--representation_size", "RepresentationSize"),
        ("--obs_sampled_per_rollout", "ObsSampledPerRollout"),
    ):
        group.add_argument(flag, type=positive_int, metavar="N", help=f"key {key}")


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a dataset or of a place for the model."""
    check_offline(parser, args, "--train_encoder")


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    return train_from_flags(args, FLAGS, _trained)


def _trained() -> "Trained":
    from training.offline.encoders import ENCODERS

    return ENCODERS
