"""Flags of verbs that read rollouts from disk: where these lie, and which model is meant."""

import argparse

from commands.parser import Parser

TITLE = "models and datasets (--train_encoder, --encode)"


def add_dataset_flags(parser: Parser) -> None:
    """Add what training on a dataset and encoding one share, unless another verb has done so."""
    if parser.knows("--dataset"):
        return
    group = parser.group(TITLE)
    group.add_argument(
        "--dataset", metavar="DIR", help="rollouts: their folder, or a pattern that several match"
    )
    group.add_argument(
        "--split", metavar="NAME", help="which episodes (default: train to train on, all to encode)"
    )
    group.add_argument(
        "--model",
        metavar="NAME",
        help="what is trained, such as vae or vae.Vae (key Model); to encode, the folder of a "
        "trained model",
    )


def check_dataset(parser: Parser, args: argparse.Namespace, verb: str) -> None:
    """Refuse the lack of a dataset."""
    if args.dataset is None:
        parser.error(f"{verb} needs --dataset: the folder of the rollouts")
