"""--data: check, mend, look at and export datasets of rollouts."""

import argparse
import os
from collections.abc import Sequence

from commands.parser import VERBS_TITLE, Parser

EXAMPLE = "  python main.py --data verify data/car"
ACTIONS = ("verify", "repair", "inspect", "export")
FORMATS = ("minari", "webdataset", "npz")


def add_flags(parser: Parser) -> None:
    """Add --data and --to."""
    parser.group(VERBS_TITLE).add_argument(
        "--data",
        nargs="+",
        type=os.path.expanduser,
        metavar="WORD",
        help="verify PATH ... | repair PATH ... | inspect PATH ... | export PATH OUT: check every "
        "byte of datasets of rollouts, move aside what is damaged, show what is in them, write one "
        "in another format; PATH may be a folder, files in it, or a pattern",
    )
    parser.group("datasets (--data)").add_argument(
        "--to",
        nargs="+",
        type=os.path.expanduser,
        metavar="FORMAT",
        help=f"of --data export: {', '.join(FORMATS)}; PATH and OUT may follow it",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse what is no action, no format, or not so many paths."""
    action, *paths = args.data
    if action not in ACTIONS:
        parser.error(f"--data {action}: {_none_of(action, ACTIONS)}")
    if (args.to is not None) != (action == "export"):
        parser.error(
            "--data export needs --to and a format"
            if args.to is None
            else "--to needs --data export"
        )
    if action == "export":
        if args.to[0] not in FORMATS:
            parser.error(f"--to {args.to[0]}: {_none_of(args.to[0], FORMATS)}")
        if len(paths) + len(args.to) != 3:
            parser.error("--data export takes the dataset's folder and a folder to write: PATH OUT")
    elif not paths:
        parser.error(f"--data {action} needs the folder of a dataset")


def _none_of(word: str, known: Sequence[str]) -> str:
    """Say that a word is none of those that are known, and which is near it."""
    from configs.options import nearest

    near = nearest(word, known)
    return f"is none of {', '.join(known)}" + (f"; did you mean {near}?" if near else "")


def run(args: argparse.Namespace) -> int:
    """Do it; return the exit code."""
    from workers.processes.interrupts import ended_by_signals

    action, *paths = args.data
    if action == "export":
        from pathlib import Path

        with ended_by_signals():
            from training.exchange.exporting import export_dataset

        form, *more = args.to
        folder, out = map(Path, (*paths, *more))
        return export_dataset(form, folder, out)
    if action == "inspect":
        with ended_by_signals():
            from training.browsing.page import inspect_datasets

        return inspect_datasets(paths)
    with ended_by_signals():
        from training.browsing.checking import repair_datasets, verify_datasets

    return verify_datasets(paths) if action == "verify" else repair_datasets(paths)
