"""Benchmarks stand on floors of their own: commands of one file, rooms, what all share."""

from collections.abc import Iterator

import pytest

from tests.architecture.test_floors import ROOT, imports_of, trees

HOUSE = "benchmarks"
ROOMS = sorted(path.parent.name for path in (ROOT / HOUSE).glob("*/__init__.py"))
# Benchmarks of one file; a room is one of several. Their names are what `python -m` is given.
COMMANDS = {"collecting", "components", "dynamics", "loop", "plots"}
# Rooms that know another one, and why.
ACQUAINTED = {
    ("scaling", "all_reduce"),  # it times these sums, as many as an update needs
    ("gpu", "pool"),  # what the emulators reach alone, and the pool without a learner
    ("scaling", "learner"),  # whose agent says how many numbers an update sums up
}
SHARED_FLOOR, ROOM_FLOOR, COMMAND_FLOOR = range(3)


def place_of(module: str) -> str:
    """A module's room, or its own name where it stands at the door."""
    return module.split(".")[1]


def floor_of(place: str) -> int:
    if place in COMMANDS:
        return COMMAND_FLOOR
    return ROOM_FLOOR if place in ROOMS else SHARED_FLOOR


def arrows() -> Iterator[tuple[str, str]]:
    """Every import of a module of this house by another, as (importer, imported)."""
    for module in trees():
        if module.startswith(f"{HOUSE}."):
            for imported in sorted(imports_of(module)):
                if imported.startswith(f"{HOUSE}."):
                    yield module, imported


def is_allowed(importer: str, imported: str) -> bool:
    """Whether a module of one place may import one of another.

    Those who share a floor are strangers, except for files that all share.
    """
    own, other = floor_of(importer), floor_of(imported)
    if importer == imported or (importer, imported) in ACQUAINTED:
        return True
    return own > other or own == other == SHARED_FLOOR


def test_imports_go_down_and_those_of_one_floor_are_strangers() -> None:
    found = list(arrows())
    assert found
    assert [pair for pair in found if not is_allowed(*map(place_of, pair))] == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("log", "pool"), ("runs", "loop"), ("pool", "peers"), ("pool", "loop"), ("loop", "plots")],
)
def test_imports_up_and_sideways_would_be_found(importer: str, imported: str) -> None:
    assert not is_allowed(importer, imported)


def test_rooms_know_each_other_in_no_circle_and_only_where_they_need_to() -> None:
    pairs = {(place_of(module), place_of(imported)) for module, imported in arrows()}
    known = {(own, other) for own, other in pairs if own != other and {own, other} <= {*ROOMS}}
    assert known == ACQUAINTED
    above = {own for own, _ in known}
    assert above.isdisjoint(other for _, other in known)  # no chain, so no circle


def test_every_command_of_one_file_is_there() -> None:
    assert {f"{HOUSE}.{name}" for name in COMMANDS} <= trees().keys()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_run_by_its_name(room: str) -> None:
    assert imports_of(f"{HOUSE}.{room}.__main__") == {"sys", f"{HOUSE}.{room}.command"}


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_of_a_room_but_how_it_is_run_knows_its_command(room: str) -> None:
    importers = {module for module, imported in arrows() if imported == f"{HOUSE}.{room}.command"}
    assert importers == {f"{HOUSE}.{room}.__main__"}
