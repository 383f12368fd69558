"""What more work costs: ranks on cores, cost curves with lines through them, sums over ranks.

    python -m benchmarks.scaling --what ranks
    python -m benchmarks.scaling --what curves --sweeps environments ranks
    python -m benchmarks.scaling --what all_reduce --rates 1 10 --delays 0.1 1

ranks: one rank on one core beside several on a core each, with the same environments and the same
global minibatch (strong), and with as many environments on each (weak).
curves: time and memory against the number of environments, ranks, feature width and rollout
length; curves.csv and curves.png lie in --folder.
all_reduce: the bytes that ranks exchange in an update, and gloo's time for them on the loopback
and over made-up cables of a rate or a delay, where the system allows those.

Runs are those of main.py --train, watched from outside, on one torch thread a rank.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.drawing import load_matplotlib
from benchmarks.log import Record, add_log_flag, recording
from benchmarks.runs import PROJECT
from benchmarks.scaling import all_reduce, curves, plot, ranks
from configs.errors import ScoutError

PACKAGES = ("torch", "numpy", "gymnasium", "ale-py")
WHAT = ("ranks", "curves", "all_reduce")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe = PROJECT / "configs/MontezumaRevenge/config_rnd00.conf"
    parser.add_argument("--what", nargs="+", choices=WHAT, default=list(WHAT))
    parser.add_argument("--recipe", type=Path, default=recipe)
    parser.add_argument("--num_envs", type=int, default=64, help="environments (%(default)s)")
    parser.add_argument("--updates", type=int, default=2, help="that count, of a run (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
    add_log_flag(parser)
    layouts = parser.add_argument_group("ranks")
    layouts.add_argument("--ranks", type=int, default=2, help="beside one (%(default)s)")
    add_curve_flags(parser.add_argument_group("curves"))
    sums = parser.add_argument_group("all_reduce")
    sums.add_argument("--summing_ranks", type=int, nargs="+", default=[2, 4])
    sums.add_argument("--rounds", type=int, default=20, help="sums of a turn (%(default)s)")
    sums.add_argument("--rates", type=float, nargs="*", default=[1.0, 10.0], help="Gbit/s")
    sums.add_argument("--delays", type=float, nargs="*", default=[0.1, 1.0], help="ms, one way")
    options = parser.parse_args(argv)
    check(parser, options)
    return options


def add_curve_flags(group: "argparse._ArgumentGroup") -> None:
    """Add the flags of the cost curves."""
    group.add_argument("--sweeps", nargs="+", choices=curves.SWEEPS, default=list(curves.SWEEPS))
    group.add_argument(
        "--environments", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024]
    )
    group.add_argument("--rank_counts", type=int, nargs="+", default=[1, 2, 3, 4])
    group.add_argument("--widths", type=int, nargs="+", default=[112, 224, 448, 896, 1792])
    group.add_argument("--lengths", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    group.add_argument(
        "--rollout_steps", type=int, default=32, help="where they do not vary (%(default)s)"
    )
    folder = Path("runs-local/scaling")
    group.add_argument("--folder", type=Path, default=folder, help="for results (%(default)s)")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse numbers that make no measurement."""
    counts = (options.num_envs, options.updates, options.repeats, options.rounds, options.ranks)
    if min(counts) < 1:
        parser.error("--num_envs, --updates, --repeats, --rounds and --ranks must be at least 1")
    if min(options.summing_ranks) < 2:
        parser.error("--summing_ranks must be at least 2")
    for flag in ("environments", "rank_counts", "widths", "lengths"):
        values = getattr(options, flag)
        if len(set(values)) < 2 or min(values) < 1:
            parser.error(f"--{flag} needs two different values of at least 1, for a line")


def measure(options: argparse.Namespace, record: Record) -> None:
    """Measure what was asked for, and tell each result as soon as it is there."""
    if "curves" in options.what:
        load_matplotlib()  # before hours of measuring
    if "ranks" in options.what:
        record.say(ranks.measure(options))
    if "all_reduce" in options.what:
        record.say(all_reduce.report(options))
    if "curves" in options.what:
        points = curves.measure(options)
        record.say(curves.tables(points))
        plot.draw(points, options.folder / "curves.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    try:
        with recording("scaling", options, PACKAGES) as record:
            measure(options, record)
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0
