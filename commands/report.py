"""--report: write pages with the curves and tables of runs."""

import argparse
import os

from commands.common import add_out
from commands.parser import VERBS_TITLE, Parser

EXAMPLE = "  python main.py --report demo demo_no_bonus"


def add_flags(parser: Parser) -> None:
    """Add --report and --out."""
    parser.group(VERBS_TITLE).add_argument(
        "--report",
        nargs="+",
        type=os.path.expanduser,  # runs that lie elsewhere are named by their folder
        metavar="LOG_NAME",
        help="write a page with curves and tables for each run, and one that compares several",
    )
    add_out(parser)


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse nothing: the runs are looked for when the report is written."""


def run(args: argparse.Namespace) -> int:
    """Write the report; return the exit code."""
    from workers.processes.interrupts import ended_by_signals

    with ended_by_signals():
        from training.reports.writing import write_reports

    return write_reports(args.report, args.out)
