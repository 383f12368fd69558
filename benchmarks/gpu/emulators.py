"""What the emulators of this machine's cores reach, without a learner."""

import multiprocessing
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.gpu.sizes import Sizes
from benchmarks.gymnasium_games import section_of
from benchmarks.pool.arena import Arena, Outcome
from benchmarks.pool.candidates import FLOOR, POOL
from workers.processes.parent import die_with_parent
from workers.processes.spawning import order_end, under_keeper

GAME = "MontezumaRevengeNoFrameskip-v4"
FEWEST_ROWS = 10


def measure(sizes: Sizes, cores: int) -> dict[str, Any]:
    """Return env steps/s and CPU microseconds per env step, without transport and of the pool.

    Args:
        sizes: how many environments and env steps.
        cores: processes that step them.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as executor:
        with under_keeper():
            job = executor.submit(_compare, sizes, cores)
        try:
            outcome = job.result()
        except BaseException:
            for process in multiprocessing.active_children():
                order_end(process)
            raise
    frame_skip = section_of(GAME).frame_skip
    return {
        "environments": sizes.emulators,
        "left_out": outcome.left_out,
        **{name: _told(outcome, key, cores, frame_skip) for name, key in _NAMES.items()},
    }


_NAMES = {"without_transport": FLOOR, "pool": POOL}


def _told(outcome: Outcome, key: str, cores: int, frame_skip: int) -> dict[str, float] | None:
    turns = outcome.turns.get(key)
    if not turns:
        return None
    speed = statistics.median(turn.steps_per_second for turn in turns)
    return {
        "env_steps_per_second": speed,
        "env_steps_per_second_per_core": speed / cores,
        "frames_per_second": speed * frame_skip,
        "cpu_us_per_env_step": statistics.median(turn.cpu_microseconds for turn in turns),
    }


def _compare(sizes: Sizes, cores: int) -> Outcome:
    die_with_parent()
    arena = Arena(section_of(GAME), sizes.emulators, cores, [POOL])
    try:
        rows = max(FEWEST_ROWS, sizes.emulator_steps // sizes.emulators)
        return arena.measure(rows, sizes.emulator_turns)
    finally:
        arena.close()
