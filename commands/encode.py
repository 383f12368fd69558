"""--encode: a dataset with observations replaced by what a trained encoder makes of them."""

import argparse

from commands.common import note_recipe, positive_int, typed_recipe
from commands.dataset_flags import (
    add_dataset_flags,
    add_written_dataset,
    check_dataset,
    check_one_model,
)
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = """\
  python main.py --encode --model runs/vae --dataset data/car_racing --out_dir data/car_z"""
OUT_NAME = "encoded"


def add_flags(parser: Parser) -> None:
    """Add --encode and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--encode", action="store_true", help="write a dataset of what an encoder makes of another"
    )
    add_dataset_flags(parser)
    add_written_dataset(parser)
    group = parser.group("encoding (--encode; once again after an end goes on)")
    group.add_argument(
        "--num_outer_shards",
        type=positive_int,
        metavar="N",
        help="into how many parts the episodes are dealt (default: one a rank)",
    )
    group.add_argument(
        "--outer_shard_index",
        type=int,
        metavar="I",
        help="the part that this process does, from 0 (default: all; under torchrun a rank's own)",
    )
    group.add_argument(
        "--num_sub_shards", type=positive_int, metavar="N", default=1, help="files of each part"
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a model, of a dataset, or of a place to write to."""
    note_recipe(parser, args)
    check_dataset(parser, args, "--encode")
    check_one_model(parser, args, "--encode")
    if args.model is None or args.out_dir is None:
        parser.error("--encode needs --model, the folder of a trained model, and --out_dir")
    index, count = args.outer_shard_index, args.num_outer_shards
    if index is None:
        return
    if count is None or not 0 <= index < count:
        parser.error(
            f"--outer_shard_index {index}: it is a number from 0 below --num_outer_shards"
            + ("" if count is None else f", which is {count}")
        )


def run(args: argparse.Namespace) -> int:
    """Encode; return the exit code."""
    import os
    import shlex
    import sys
    from pathlib import Path

    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.offline.options import EncodingOptions

    loaded = load_config(typed_recipe(args), args.overrides)
    options = EncodingOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        model=Path(args.model).expanduser(),
        dataset=args.dataset,
        out_dir=args.out_dir,
        out_name=args.out_name or OUT_NAME,
        split=args.split,
        num_outer_shards=args.num_outer_shards or int(os.environ.get("WORLD_SIZE", "1")),
        outer_shard_index=args.outer_shard_index,
        num_sub_shards=args.num_sub_shards,
        gpu_id=args.gpu_id,
    )
    from workers.processes.early_signals import delay_interrupts

    delay_interrupts()
    from training.offline.encoding import encode

    return encode(options, loaded)
