"""How much main memory can still be used: the machine's, or what a container leaves of it."""

from pathlib import Path

MACHINE = Path("/proc/meminfo")
PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# A group's limit, what is used of it, and the word before its idle pages: version 2, version 1.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


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
    """Return the folders of this process's control groups and of those that hold them.

    cgroups(7): a line of version 2 begins with "0::", one of version 1 names its controllers. A
    container may see its own group as the root, under the path that it has outside.
    """
    try:
        lines = process_groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        number, controllers, own = line.split(":", maxsplit=2)
        if number == "0" or "memory" in controllers.split(","):
            root = groups if number == "0" else groups / "memory"
            inner = root / own.removeprefix("/")
            folders += [each for each in (inner, *inner.parents) if each.is_relative_to(root)]
    return folders


def _left_in(folder: Path) -> list[int]:
    """Return what a group's limit leaves; nothing where it has none.

    Pages of files that were not used for long are given back when memory is wanted.
    """
    for limit, used, idle in _FILES:
        try:
            most = int((folder / limit).read_text(encoding="ascii"))
            now = int((folder / used).read_text(encoding="ascii"))
            facts = (folder / "memory.stat").read_text(encoding="ascii").split()
        except (OSError, ValueError):  # "max" is no limit
            continue
        given_back = int(facts[facts.index(idle) + 1]) if idle in facts else 0
        return [max(0, most - now + given_back)]
    return []
