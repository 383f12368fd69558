"""--train_dynamics: learn what follows an action, from an encoded dataset."""

import argparse

from commands.common import positive_int
from commands.offline_training import add_offline_flags, check_offline, train_from_flags
from commands.parser import VERBS_TITLE, Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from training.offline.spec import Trained

EXAMPLE = """\
  python main.py --train_dynamics --model mdn_rnn --rollouts_dataset data/car_z \\
      --sequence_length 32 --model_dir runs/mdn"""
# The keys that have a flag of their own.
FLAGS = {
    "model": "DynamicsModel",
    "sequence_length": "SequenceLength",
    "sample_observations": "SampleObservations",
    "difference_targets": "DifferenceTargets",
    "train_steps": "DynamicsTrainSteps",
    "batch_size": "DynamicsBatchSize",
    "learning_rate": "DynamicsLearningRate",
    "save_every_n_steps": "DynamicsSaveEveryNSteps",
    "seed": "Seed",
}


def add_flags(parser: Parser) -> None:
    """Add --train_dynamics and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--train_dynamics",
        action="store_true",
        help="learn what follows an action, from an encoded dataset",
    )
    add_offline_flags(parser)
    group = parser.group("learning a model of sequences (--train_dynamics)")
    group.add_argument(
        "--sequence_length", type=positive_int, metavar="N", help="key SequenceLength"
    )
    for flag, key in (
        ("--sample_observations", "SampleObservations"),
        ("--difference_targets", "DifferenceTargets"),
    ):
        group.add_argument(flag, action="store_const", const=True, help=f"key {key} = True")


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a dataset or of a place for the model."""
    check_offline(parser, args, "--train_dynamics")


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    return train_from_flags(args, FLAGS, _trained)


def _trained() -> "Trained":
    from training.offline.dynamics import DYNAMICS_MODELS

    return DYNAMICS_MODELS
