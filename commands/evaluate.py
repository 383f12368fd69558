"""--eval: evaluate a checkpoint over full episodes."""

import argparse

from commands.common import add_episodes, add_greedy, add_local_dir, add_save_info, note_recipe
from commands.parser import VERBS_TITLE, Parser
from commands.run_options import prepare_run

EXAMPLE = """\
  python main.py --eval --config_path=configs/demo_config.conf \\
      --load_model_path=checkpoints/demo.ckpt"""


def add_flags(parser: Parser) -> None:
    """Add --eval and the flags of evaluation alone."""
    parser.group(VERBS_TITLE).add_argument(
        "--eval", action="store_true", help="evaluate a checkpoint, in one process"
    )
    add_episodes(parser)
    add_greedy(parser)
    add_local_dir(parser)
    evaluation = parser.group("evaluation (--eval)")
    evaluation.add_argument(
        "--baselines",
        action="store_true",
        help="also play as many episodes at random, and as many doing nothing",
    )
    evaluation.add_argument(
        "--video",
        action="store_true",
        help="also write an mp4 of one game: with bonus, values and a map, or of a controller "
        "with what it sees and what its vision model makes of that",
    )
    evaluation.add_argument(
        "--save_rollouts",
        action="store_true",
        help="also write the episodes as a dataset, with a CSV of returns and lengths",
    )
    add_save_info(parser)


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a checkpoint."""
    note_recipe(parser, args)
    if args.load_model_path is None:
        parser.error("--eval needs --load_model_path")
    if args.save_info and not args.save_rollouts:
        parser.error("--save_info is written with the rollouts: it needs --save_rollouts")


def run(args: argparse.Namespace) -> int:
    """Evaluate; return the exit code."""
    from workers.processes.interrupts import ended_by_signals

    with ended_by_signals():
        options, loaded = prepare_run(args)
        from training.playing.evaluation import evaluate_checkpoint

    return evaluate_checkpoint(options, loaded)
