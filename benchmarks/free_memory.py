"""Whether the machine has room for what is to be measured."""

from pathlib import Path

import psutil

SHARE = 0.8  # of the memory that is free; the rest is for what others take meanwhile
CGROUP = Path("/sys/fs/cgroup")  # of this container, where there is one


def lacks_room(megabytes: float) -> str | None:
    """Return why something that takes so much memory must be left out, or None if it fits."""
    free = free_memory()
    if megabytes <= SHARE * free:
        return None
    return f"it would take {megabytes / 1000:,.1f} GB and {free / 1000:,.1f} GB are free"


def free_memory(cgroup: Path = CGROUP) -> float:
    """Return the MB that are free, in a container those up to its limit."""
    free = float(psutil.virtual_memory().available) / 1e6
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        statistics = (cgroup / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # no container, or "max"
        return free
    cached = next(int(line.split()[1]) for line in statistics if line.startswith("inactive_file "))
    return min(free, (limit - used + cached) / 1e6)
