"""Runs that differ in their seed alone are one group; its name is what theirs have in common."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.reports.record import Record

SEED_KEY = "Seed"
_SEED = re.compile(r"[._/-]*seed[._-]*\d+$", re.IGNORECASE)
_SHORTEST_NAME = 3


@dataclass(frozen=True)
class Group:
    """Runs of one configuration.

    Attributes:
        name: unique among the groups.
        runs: at least one.
    """

    name: str
    runs: tuple[Record, ...]


def group_runs(records: Sequence[Record]) -> list[Group]:
    """Return the groups in the order of their first runs; a run without configuration is one."""
    found: dict[object, list[Record]] = {}
    for record in records:
        config = {key: value for key, value in record.config.items() if key != SEED_KEY}
        key: object = tuple(sorted(config.items())) if config else record.name
        found.setdefault(key, []).append(record)
    names: dict[str, int] = {}
    groups = []
    for runs in found.values():
        name = common_name([run.name for run in runs])
        names[name] = names.get(name, 0) + 1
        groups.append(Group(name if names[name] == 1 else f"{name} ({names[name]})", tuple(runs)))
    return groups


def common_step(last_steps: Sequence[float]) -> float:
    """Return the env steps at which runs are compared: the last that all comparable ones reach.

    A run that ended before half of the furthest one is not comparable: it would leave the others
    with nothing but their beginnings. 0 where there is no run.
    """
    furthest = max(last_steps, default=0.0)
    return float(min((last for last in last_steps if 2 * last >= furthest), default=0.0))


def common_name(names: Sequence[str]) -> str:
    """Return what names have in common without their seeds: a_seed1, a_seed2 -> a."""
    if len(names) == 1:
        return names[0]
    stems = {_SEED.sub("", name) for name in names}
    if len(stems) == 1 and (stem := stems.pop()):
        return stem
    start = _common_start(names).rstrip("._/-0123456789")
    return start if len(start) >= _SHORTEST_NAME else f"{names[0]} and {len(names) - 1} more"


def _common_start(names: Sequence[str]) -> str:
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def seeds_text(group: Group) -> str:
    """Return the seeds of a group's runs, in their order."""
    return ", ".join(run.setting(SEED_KEY) for run in group.runs)
