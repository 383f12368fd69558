"""--rollout: a checkpoint plays, and what it lives through is written down."""

import argparse

from commands.common import (
    add_continuing,
    add_episodes,
    add_greedy,
    add_out,
    add_save_info,
    note_recipe,
    path,
    typed_recipe,
)
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = "  python main.py --rollout checkpoints/demo.ckpt --episodes 5 --save-info --monitor"


def add_flags(parser: Parser) -> None:
    """Add --rollout and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--rollout",
        type=path,
        metavar="CKPT",
        help="write a dataset of what a checkpoint plays, beside the checkpoint",
    )
    add_episodes(parser)
    add_greedy(parser)
    add_save_info(parser)
    add_continuing(parser)
    add_out(parser)
    parser.group("playing a checkpoint (--rollout)").add_argument(
        "--monitor",
        action="store_true",
        help="also film one more game: the real screen, whatever the agent sees",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse what a rollout has no use for."""
    note_recipe(parser, args)
    if args.resume:
        parser.error("--rollout is played at one go; --overwrite plays it again")
    if args.load_model_path is not None:
        parser.error("--rollout names the checkpoint itself; leave out --load_model_path")


def run(args: argparse.Namespace) -> int:
    """Play; return the exit code."""
    import os
    import shlex
    import sys

    from commands.run_options import collect_overrides
    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.options import USUAL_EPISODES
    from training.playing.rollout import RolloutOptions, roll_out

    loaded = load_config(typed_recipe(args), collect_overrides(args))
    options = RolloutOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        checkpoint=args.rollout,
        episodes=args.episodes or USUAL_EPISODES,
        greedy=args.greedy,
        with_info=args.save_info,
        film=args.monitor,
        out=args.out,
        overwrite=args.overwrite,
        num_workers=args.num_workers,
        gpu_id=args.gpu_id,
    )
    return roll_out(options, loaded)
