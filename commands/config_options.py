"""--config_options: print all configuration keys, whatever else is typed."""

import argparse

from commands.parser import VERBS_TITLE, Parser

EXAMPLE = "  python main.py --train --config_options"


def add_flags(parser: Parser) -> None:
    """Add --config_options."""
    parser.group(VERBS_TITLE).add_argument(
        "--config_options", action="store_true", help="print all configuration keys and exit"
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse nothing: it goes before all other verbs."""


def run(args: argparse.Namespace) -> int:
    """Print; return the exit code."""
    del args
    from configs.describe import describe_options

    print(describe_options())
    return 0
