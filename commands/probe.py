"""--probe: how much of the state an encoder's features tell, before any agent learns on them."""

import argparse

from commands.common import add_out, note_recipe, positive_int, typed_recipe
from commands.dataset_flags import add_dataset_flags, check_dataset
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = "  python main.py --probe --model runs/vae runs/byol --dataset data/car_racing"


def add_flags(parser: Parser) -> None:
    """Add --probe and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--probe",
        action="store_true",
        help="write a page on how much of the state encoders' features tell",
    )
    add_dataset_flags(parser)
    add_out(parser)
    parser.group("probing (--probe)").add_argument(
        "--supervised_steps",
        type=positive_int,
        metavar="N",
        default=300,
        help="optimiser steps of the baseline that is trained on the state itself (default 300)",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a model or of a dataset."""
    note_recipe(parser, args)
    check_dataset(parser, args, "--probe")
    if args.model is None:
        parser.error("--probe needs --model: the folder of a trained model, or of several")


def run(args: argparse.Namespace) -> int:
    """Probe; return the exit code."""
    import os
    import shlex
    import sys
    from pathlib import Path

    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.probing.options import ProbeOptions

    seed = [] if args.seed is None else [f"Seed={args.seed}"]
    loaded = load_config(typed_recipe(args), [*args.overrides, *seed])
    options = ProbeOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        models=tuple(Path(word).expanduser() for word in args.model),
        dataset=args.dataset,
        split=args.split or "validation",
        out=args.out,
        supervised_steps=args.supervised_steps,
        gpu_id=args.gpu_id,
    )
    from workers.processes.interrupts import ended_by_signals

    with ended_by_signals():
        from training.probing.probing import probe

    return probe(options, loaded)
