"""Sums of gradients over ranks with gloo, on this machine's loopback or over made-up cables.

    python -m benchmarks.all_reduce --ranks 4 --numbers 3_000_000 --rate 1

Between the cables stands a switch in Python; --rate 0 --delay 0 shows what it costs by itself.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.all_reduce.made_up_network import Link
from benchmarks.all_reduce.sums import LinkRefusedError, sum_over_ranks, transfer


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.all_reduce",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ranks", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--numbers", type=int, default=1_000_000, help="float32 (%(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--rate", type=float, help="of made-up cables, Gbit/s (0: any)")
    parser.add_argument("--delay", type=float, help="of made-up cables, ms one way")
    parser.add_argument("--json", action="store_true", help="print all costs, for a program")
    options = parser.parse_args(argv)
    if options.ranks < 2 or options.numbers < 1 or options.repeats < 1:
        parser.error("--ranks must be at least 2, --numbers and --repeats at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    options = parse(argv)
    sizes = (options.ranks, options.numbers, options.repeats)
    made_up = options.rate is not None or options.delay is not None
    link = Link(options.rate or 0.0, options.delay or 0.0) if made_up else None
    if options.json:
        print(json.dumps(asdict(sum_over_ranks(*sizes, link))))
        return 0
    try:
        found = transfer(*sizes, link)
    except LinkRefusedError as error:
        print(f"error: no made-up cables here: {error}", file=sys.stderr)
        return 2
    middle = sorted(found.wall)[len(found.wall) // 2]
    print(f"{middle * 1e3:.2f} ms, {4 * options.numbers / middle / 1e9:.2f} GB/s of sums")
    return 0
