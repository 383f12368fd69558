"""--visualise: what a decoder draws of play that it has never seen, beside what is to be seen."""

import argparse

from commands.common import add_episodes, add_out, add_policy, note_recipe, typed_recipe
from commands.dataset_flags import add_environment, add_model, check_one_model
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = """\
  python main.py --visualise --model runs/state_decoder --environment LUNAR_LANDER_CONTINUOUS \\
      --fresh"""


def add_flags(parser: Parser) -> None:
    """Add --visualise and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--visualise",
        action="store_true",
        help="film what a decoder draws beside what is to be seen, in a fresh environment",
    )
    add_model(parser)
    add_environment(parser)
    add_policy(parser)
    add_episodes(parser)
    add_out(parser)
    parser.group("drawing (--visualise)").add_argument(
        "--fresh",
        action="store_true",
        help="play new episodes, of other seeds than the dataset's; there is no other way yet",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a model, and of --fresh."""
    note_recipe(parser, args)
    check_one_model(parser, args, "--visualise")
    if args.model is None:
        parser.error("--visualise needs --model: the folder of a model that draws")
    if not args.fresh:
        parser.error(
            "--visualise needs --fresh: it plays new episodes; what is drawn of a dataset's is on "
            "the page of --probe"
        )


def run(args: argparse.Namespace) -> int:
    """Play and draw; return the exit code."""
    from pathlib import Path

    from configs.loading import load_config
    from training.probing.options import FreshOptions

    seed = [] if args.seed is None else [f"Seed={args.seed}"]
    loaded = load_config(typed_recipe(args), [*args.overrides, *seed])
    options = FreshOptions(
        model=Path(args.model).expanduser(),
        environment=args.environment,
        policy=args.policy,
        episodes=args.episodes or FreshOptions.episodes,
        out=args.out,
        gpu_id=args.gpu_id,
    )
    from workers.processes.interrupts import ended_by_signals

    with ended_by_signals():
        from training.probing.fresh import draw_fresh

    return draw_fresh(options, loaded)
