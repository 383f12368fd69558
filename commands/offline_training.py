"""What all verbs share that train a model on a dataset: flags, checks, from flags to a recipe."""

import argparse
from collections.abc import Callable, Mapping

from commands.common import (
    add_continuing,
    add_tracking,
    folder,
    note_recipe,
    positive_int,
    typed_recipe,
)
from commands.dataset_flags import (
    add_dataset_flags,
    add_environment,
    check_dataset,
    check_one_model,
)
from commands.parser import Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.loading import LoadedConfig
    from training.offline.spec import Trained


def add_offline_flags(parser: Parser) -> None:
    """Add the flags of training on a dataset, unless another verb has done so."""
    add_dataset_flags(parser)
    add_continuing(parser)
    add_tracking(parser)
    add_environment(parser)
    if parser.knows("--model_dir"):
        return
    group = parser.group("training on a dataset (--train_encoder, --train_dynamics)")
    group.add_argument(
        "--model_dir", type=folder, metavar="DIR", help="where the model and its curves are kept"
    )
    for flag, keys in (
        ("--train_steps", "TrainSteps, DynamicsTrainSteps"),
        ("--batch_size", "EncoderBatchSize, DynamicsBatchSize"),
        ("--save_every_n_steps", "SaveEveryNSteps, DynamicsSaveEveryNSteps"),
    ):
        group.add_argument(flag, type=positive_int, metavar="N", help=f"key {keys}")
    group.add_argument(
        "--learning_rate", metavar="X", help="key EncoderLearningRate, DynamicsLearningRate"
    )


def check_offline(parser: Parser, args: argparse.Namespace, verb: str) -> None:
    """Refuse the lack of a dataset or of a place for the model."""
    note_recipe(parser, args)
    check_dataset(parser, args, verb)
    check_one_model(parser, args, verb)
    if args.model_dir is None:
        parser.error(f"{verb} needs --model_dir: the folder of the model")


def train_from_flags(
    args: argparse.Namespace, flags: Mapping[str, str], trained: "Callable[[], Trained]"
) -> int:
    """Train; return the exit code.

    Args:
        args: what was typed.
        flags: those that stand for a key -> the key.
        trained: imports what is trained, and torch with it.
    """
    import os
    import shlex
    import sys

    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.offline.options import OfflineOptions
    from training.ranks.restarts import check_restarts
    from workers.processes.early_signals import delay_interrupts

    check_restarts()
    values = {key: getattr(args, flag) for flag, key in flags.items()}
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
        use_wandb=args.use_wandb,
    )
    delay_interrupts()
    what = trained()
    from training.offline.launch import train_offline

    return train_offline(options, loaded, what)


def _environment_of(loaded: "LoadedConfig") -> "str | None":
    """Return the environment that the recipe or the command line names, if they name one."""
    return None if loaded.sources["EnvID"] == "default" else loaded.config.environment.env_id
