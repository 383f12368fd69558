"""How much main memory can still be used: the machine's, or what a container leaves of it."""

from pathlib import Path

MACHINE = Path("/proc/meminfo")
PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def available_memory(process_groups: Path = PROCESS_GROUPS, groups: Path = GROUPS) -> int:
    """Return the bytes that this process can still use.

    A limit of its control group (docker --memory, a Kubernetes or Slurm limit), or of a group that
    holds it, counts where less is left under it than the machine has.
    """
    left = [_left_on_the_machine()]
    for folder in _own_groups(process_groups, groups):
        left += _left_in(folder)
    return min(left)


def _left_on_the_machine() -> int:
    lines = MACHINE.read_text(encoding="ascii").splitlines()
    (available,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(available) * 1024


def _own_groups(process_groups: Path, groups: Path) -> list[Path]:
    """Return the folder of this process's control group and those that hold it (cgroups(7), v2)."""
    try:
        lines = process_groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return []
    inner = groups / own
    return [inner, *(parent for parent in inner.parents if parent.is_relative_to(groups))]


def _left_in(folder: Path) -> list[int]:
    """Return what a group's limit leaves; nothing where it has none.

    Pages of files that were not used for long are given back when memory is wanted.
    """
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        facts = (folder / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # "max" is no limit
        return []
    idle = sum(int(line.split()[1]) for line in facts.splitlines() if line[:14] == "inactive_file ")
    return [max(0, limit - used + idle)]
