"""What the whole loop takes, with each bonus and head: speed, CPU time, memory, and shares of time.

    python -m benchmarks.loop
    python -m benchmarks.loop --arms PPO RND SND --ranks 1 --updates 6

Every turn is a run of main.py --train, watched from outside; its start, its warm-up and its first
update do not count. Arms take turns; ratios to RND alone are taken turn by turn. An arm is one of
the folder's recipes (config_rnd00.conf, or that of its head) with another bonus or input of it.
Runs this short write no checkpoint; --set saveCkptEvery=1 shows what one takes.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.arms import ALONE, BASELINE
from benchmarks.arms import ARMS as SETTINGS
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT
from benchmarks.timed_runs import Plan, Timing, time_in_turns
from configs.errors import ScoutError

PACKAGES = ("torch", "numpy", "gymnasium", "ale-py")
DEFAULT_ARMS = ("PPO", BASELINE, "RND+BYOL", "RND+Barlow-Twins")
HEAD_KEY = "RepresentationLearningParameter"
RECIPES = {  # of a head's arms, which need its widths
    "None": "config_rnd00.conf",
    "BYOL": "config_rnd_byol00.conf",
    "Barlow-Twins": "config_rnd_barlow00.conf",
}


def plans(options: argparse.Namespace) -> dict[str, Plan]:
    """Return each arm's run; that of RND alone is always among them."""
    return {
        name: Plan(
            recipe=options.recipes / RECIPES[(ALONE | own)[HEAD_KEY]],
            overrides=(*(f"{key}={value}" for key, value in (ALONE | own).items()), *options.set),
            updates=options.updates,
            num_envs=options.num_envs // options.ranks,
            ranks=options.ranks,
        )
        for name, own in SETTINGS.items()
        if name in options.arms or name == BASELINE
    }


def table(timings: Mapping[str, Sequence[Timing]]) -> str:
    """Return one row per arm: medians with their range, ratios to RND alone turn by turn."""
    lines = [
        f"| | env steps/s | CPU us per step | speed / {BASELINE} | CPU / {BASELINE} | MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in timings.items():
        pairs = list(zip(own, timings[BASELINE], strict=True))
        cells = (
            spread([timing.steps_per_second for timing in own]),
            spread([timing.cpu for timing in own]),
            spread([timing.steps_per_second / base.steps_per_second for timing, base in pairs], 2),
            spread([timing.cpu / base.cpu for timing, base in pairs], 2),
            f"{statistics.median(timing.memory for timing in own):,.0f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_shares(timings: Mapping[str, Sequence[Timing]]) -> str:
    """Return one row per arm: the median share of each part of the loop, in percent."""
    lines = [
        "| % of the time | step | act | learn | synchronise | write checkpoints | the rest |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in timings.items():
        parts = [_parts(timing.shares) for timing in own]
        cells = [f"{statistics.median(column) * 100:.1f}" for column in zip(*parts, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _parts(shares: Mapping[str, float]) -> list[float]:
    """Return the shares of the table's columns; they add up to 1."""
    step = shares["collect"] - shares["act"]
    named = [step, shares["act"], shares["learn"], shares["sync"], shares["save"]]
    return [*named, 1.0 - sum(named)]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    folder = PROJECT / "configs/MontezumaRevenge"
    parser.add_argument("--recipes", type=Path, default=folder, help="folder (%(default)s)")
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=SETTINGS,
        default=DEFAULT_ARMS,
        metavar="ARM",
        help=f"of {', '.join(SETTINGS)}",
    )
    parser.add_argument(
        "--num_envs", type=int, default=64, help="environments of all ranks (%(default)s)"
    )
    parser.add_argument(
        "--ranks",
        type=int,
        default=2,
        help="agent processes (%(default)s); with GPUs at most as many as those",
    )
    parser.add_argument("--updates", type=int, default=3, help="that count, of a run (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each arm (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.num_envs, options.ranks, options.updates, options.repeats) < 1:
        parser.error("--num_envs, --ranks, --updates and --repeats must be at least 1")
    if options.num_envs % options.ranks:
        parser.error(
            f"{options.num_envs} environments cannot be shared out to {options.ranks} ranks"
        )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    try:
        with recording("loop", options, PACKAGES) as record:
            timings = time_in_turns(plans(options), options.repeats)
            record.say(f"{table(timings)}\n\n{table_of_shares(timings)}")
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
