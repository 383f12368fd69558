"""--export: write a checkpoint's policy for use elsewhere."""

import argparse

from commands.common import add_local_dir, add_out, note_recipe
from commands.parser import VERBS_TITLE, Parser
from commands.run_options import prepare_run

EXAMPLE = """\
  python main.py --export --config_path=configs/demo_config.conf \\
      --load_model_path=checkpoints/demo.ckpt"""


def add_flags(parser: Parser) -> None:
    """Add --export and --out."""
    parser.group(VERBS_TITLE).add_argument(
        "--export", action="store_true", help="write a checkpoint's policy for use elsewhere"
    )
    add_out(parser)
    add_local_dir(parser)


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a checkpoint."""
    note_recipe(parser, args)
    if args.load_model_path is None:
        parser.error("--export needs --load_model_path")


def run(args: argparse.Namespace) -> int:
    """Export; return the exit code."""
    from workers.processes.interrupts import ended_by_signals

    with ended_by_signals():
        options, loaded = prepare_run(args)
        from training.exporting.writing import export_policy

    return export_policy(options, loaded)
