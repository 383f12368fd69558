"""Flags of verbs that read datasets or write them: where these lie, and which model is meant."""

import argparse

from commands.common import folder
from commands.parser import Parser

LONGEST_ENDING = "-00000-of-00000"  # which --encode adds to --out_name
TITLE = "models and datasets (--train_encoder, --train_dynamics, --encode, --probe)"
MODEL_TITLE = "which model (--train_encoder, --train_dynamics, --encode, --probe, --visualise)"


def add_dataset_flags(parser: Parser) -> None:
    """Add what training on a dataset and encoding one share, unless another verb has done so."""
    add_model(parser)
    if parser.knows("--dataset"):
        return
    group = parser.group(TITLE)
    group.add_argument(
        *("--dataset", "--rollouts_dataset"),
        dest="dataset",
        metavar="DIR",
        help="rollouts: their folder, or a pattern that several match",
    )
    group.add_argument(
        "--split",
        metavar="NAME",
        help="which episodes (default: train to train on, all to encode, validation to probe)",
    )


def add_model(parser: Parser) -> None:
    """Add --model, unless another verb has done so."""
    if parser.knows("--model"):
        return
    parser.group(MODEL_TITLE).add_argument(
        "--model",
        nargs="+",
        metavar="NAME",
        help="what is trained, such as vae or vae.Vae (key Model), or mdn_rnn (key DynamicsModel); "
        "elsewhere the folder of a trained model, and of several to --probe them side by side",
    )


def check_one_model(parser: Parser, args: argparse.Namespace, verb: str) -> None:
    """Refuse several models, and leave the one."""
    if args.model is not None:
        if len(args.model) > 1:
            parser.error(f"{verb} takes one --model; only --probe takes several")
        (args.model,) = args.model


def add_written_dataset(parser: Parser) -> None:
    """Add --out_dir and --out_name, unless another verb has done so."""
    if parser.knows("--out_dir"):
        return
    group = parser.group("the dataset that is written (--collect, --encode)")
    group.add_argument(
        "--out_dir", type=folder, metavar="DIR", help="directory of the dataset; made or added to"
    )
    group.add_argument(
        "--out_name",
        type=file_name,
        metavar="NAME",
        help="begins the names of its files (default rollouts, or encoded)",
    )


def file_name(text: str) -> str:
    """Parse what file names of a dataset may begin with."""
    from trajectories.manifest import WRITER

    if not WRITER.fullmatch(f"{text}{LONGEST_ENDING}"):
        raise argparse.ArgumentTypeError(
            f"{text!r}: a name begins with a letter or digit, and has letters, digits, '_', '.' "
            f"and '-' only, {100 - len(LONGEST_ENDING)} at most"
        )
    return text


def add_environment(parser: Parser) -> None:
    """Add --environment, unless another verb has done so."""
    if parser.knows("--environment"):
        return
    parser.group(
        "which environment (--collect, --train_encoder, --train_dynamics, --visualise, --play)"
    ).add_argument(
        "--environment",
        metavar="ID",
        help="Gymnasium's id or its name in capitals, such as CAR_RACING (default: the recipe's); "
        "rollouts of another one are refused",
    )


def check_dataset(parser: Parser, args: argparse.Namespace, verb: str) -> None:
    """Refuse the lack of a dataset."""
    if args.dataset is None:
        parser.error(f"{verb} needs --dataset: the folder of the rollouts")
