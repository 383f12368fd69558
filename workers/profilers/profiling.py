"""What lets profilers see ranks and their workers, line_profiler (LINE_PROFILE=1) and Scalene.

A worker is a process of its own, out of sight of what profiles the one that started it. Where no
profiler was asked for, all of this is a look at the environment.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workers.profilers.line_times import lines_timed
from workers.profilers.under_scalene import follow_into_workers, is_under_scalene, sampled

SWITCH = "LINE_PROFILE"  # line_profiler's own
PREFIX = "SCOUT_LINE_TIMES"  # how a rank's files begin; its workers inherit it
_SWITCHED_OFF = {"", "0", "false", "no", "off"}
_PATIENCE = 60.0  # seconds to write a profile, on a machine that is busy beyond measure


@contextmanager
def followed_by_profilers(prefix: Path) -> Iterator[None]:
    """Let the profilers that this process is under follow it into its workers.

    `prefix` is how the files of line times begin, of this process and of its workers.
    """
    if is_under_scalene():
        follow_into_workers()
    if os.environ.get(SWITCH, "").lower() in _SWITCHED_OFF:
        yield
        return
    os.environ[PREFIX] = str(prefix.absolute())
    try:
        yield
    finally:
        del os.environ[PREFIX]


@contextmanager
def profiled(name: str = "") -> Iterator[None]:
    """Profile the block with what was asked for; `name` ends the name of its file of line times."""
    with ExitStack() as stack:
        if PREFIX in os.environ:
            stack.enter_context(lines_timed(Path(f"{os.environ[PREFIX]}{name}.lprof")))
        if is_under_scalene():
            stack.enter_context(sampled())
        yield


def grace(seconds: float) -> float:
    """Return the seconds that a worker has to end: more where it has a profile to write."""
    return _PATIENCE if PREFIX in os.environ or is_under_scalene() else seconds
