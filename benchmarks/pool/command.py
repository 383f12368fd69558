"""How much of the emulators' speed the worker pool keeps, beside what other libraries have.

    python -m benchmarks.pool
    python -m benchmarks.pool --env MontezumaRevengeNoFrameskip-v4 CartPole-v1 --num_envs 64 512

All contenders of a table live in one run and take turns, so that a busy machine slows all of them.
The floor is the same number of processes stepping the same environments with no transport at all:
no actions come in, no observations go out. Frames are handed out singly, but where a name says
otherwise. A package that is not installed, or a contender that does not fit into memory, is left
out and named.
"""

import argparse
import multiprocessing
import os
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from benchmarks.gymnasium_games import section_of
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.pool.arena import Arena, Outcome
from benchmarks.pool.candidates import FLOOR, POOL
from configs.errors import ScoutError
from workers.processes.parent import die_with_parent
from workers.processes.spawning import order_end, under_keeper

FEWEST_ROWS = 10
TURN = {"atari": 6_400, "classic_control": 16_000}  # env steps of a turn, a second or two
PACKAGES = (
    "gymnasium",
    "ale-py",
    "stable-baselines3",
    "envpool",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
)


def compare(env_id: str, num_environments: int, options: argparse.Namespace) -> Outcome:
    """Measure all contenders for one game and number of environments, in a process for it."""
    die_with_parent()
    multiprocessing.set_start_method(None, force=True)  # others' own, not that of this process
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for a pipe to every environment
    section = section_of(env_id)
    env_steps = options.steps or TURN[section.env_type]
    rows = max(FEWEST_ROWS, env_steps // num_environments)
    arena = Arena(section, num_environments, options.num_processes, options.contenders)
    try:
        return arena.measure(rows, options.repeats)
    finally:
        arena.close()


def table(outcome: Outcome) -> str:
    """Return a row per contender: medians with their range, ratios taken turn by turn.

    "per core" are env steps for each second of CPU time, whatever number of cores was busy.
    """
    floor, pool = outcome.turns[FLOOR], outcome.turns.get(POOL)
    lines = [
        "| | env steps/s | CPU us/step | per core | speed / no transport | CPU / no transport "
        f"| speed of {POOL} / its | MB/env |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, own in outcome.turns.items():
        pairs = list(zip(own, floor, strict=True))
        against = list(zip(pool or (), own, strict=bool(pool)))
        cells = (
            spread([turn.steps_per_second for turn in own]),
            spread([turn.cpu_microseconds for turn in own], 1),
            spread([1e6 / turn.cpu_microseconds for turn in own]),
            spread([turn.steps_per_second / base.steps_per_second for turn, base in pairs], 3),
            spread([turn.cpu_microseconds / base.cpu_microseconds for turn, base in pairs], 3),
            spread([us.steps_per_second / it.steps_per_second for us, it in against], 2)
            if against
            else "",
            f"{outcome.memory[name]:.2f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if outcome.left_out:
        lines += ["", "Left out:"]
    lines += [f"- {name}: {reason}" for name, reason in outcome.left_out.items()]
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pool",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--env", nargs="+", default=["MontezumaRevengeNoFrameskip-v4"])
    parser.add_argument("--num_envs", nargs="+", type=int, default=[64])
    parser.add_argument("--num_processes", type=int, default=cores, help="(%(default)s: the cores)")
    parser.add_argument("--steps", type=int, help="env steps of a turn (a second or two)")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each (%(default)s)")
    parser.add_argument(
        "--contenders", nargs="+", default=[], metavar="WORD", help="parts of their names (all)"
    )
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(*options.num_envs, options.num_processes, options.repeats, options.steps or 1) < 1:
        parser.error("numbers must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    options = parse(argv)
    fresh = multiprocessing.get_context("spawn")
    try:
        with recording("pool", options, PACKAGES) as record:
            for env_id in options.env:
                for num_environments in options.num_envs:
                    with ProcessPoolExecutor(1, fresh) as executor:  # no leftovers of the last
                        with under_keeper():  # which ends the processes of all contenders
                            job = executor.submit(compare, env_id, num_environments, options)
                        try:
                            outcome = job.result()
                        except BaseException:
                            for process in multiprocessing.active_children():
                                order_end(process)
                            raise
                        heading = f"{env_id}, {num_environments} environments"
                        record.say(f"{heading}\n\n{table(outcome)}")
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0
