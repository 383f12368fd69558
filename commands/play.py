"""--play: an episode as it is, as an encoder draws it, and as a model of sequences dreams it."""

import argparse

from commands.common import (
    add_models,
    add_out,
    add_policy,
    note_recipe,
    positive_int,
    typed_recipe,
)
from commands.dataset_flags import add_environment
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = """\
  python main.py --play --vision_model runs/vae --memory_model runs/mdn --environment CAR_RACING"""


def add_flags(parser: Parser) -> None:
    """Add --play and its flags."""
    parser.group(VERBS_TITLE).add_argument(
        "--play",
        action="store_true",
        help="film an episode beside what an encoder draws of it and what a model dreams",
    )
    add_environment(parser)
    add_policy(parser)
    add_out(parser)
    add_models(parser)
    group = parser.group("beside a dream (--play)")
    group.add_argument(
        "--restart_every",
        type=positive_int,
        metavar="N",
        default=50,
        help="steps after which the dream begins anew at what is real (default 50)",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse the lack of a model."""
    note_recipe(parser, args)
    for flag, what in (("vision_model", "an encoder"), ("memory_model", "a model of sequences")):
        if getattr(args, flag) is None:
            parser.error(f"--play needs --{flag}: the folder of {what}")


def run(args: argparse.Namespace) -> int:
    """Play; return the exit code."""
    from configs.loading import load_config
    from training.probing.options import PlayOptions

    seed = [] if args.seed is None else [f"Seed={args.seed}"]
    loaded = load_config(typed_recipe(args), [*args.overrides, *seed])
    options = PlayOptions(
        vision_model=args.vision_model,
        memory_model=args.memory_model,
        environment=args.environment,
        policy=args.policy,
        restart_every=args.restart_every,
        out=args.out,
        gpu_id=args.gpu_id,
    )
    from training.probing.play import play

    return play(options, loaded)
