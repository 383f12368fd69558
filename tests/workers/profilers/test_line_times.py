"""Line times: whose lines are timed, and that nothing is changed by timing them."""

import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest
from line_profiler.line_profiler import LineStats

import workers.pool
import workers.shared.layout
from workers.profilers.line_times import functions_of, lines_timed

SOURCE = """\
import functools
import json


def loud(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper


class Thing:
    class Part:
        def turn(self):
            return 1

    @property
    def size(self):
        return 2

    @staticmethod
    def make():
        return Thing()

    @loud
    def act(self, times):
        total = 0
        for _ in range(times):
            total += 1
        return total


@functools.lru_cache
def remembered(number):
    return number
"""


@pytest.fixture
def thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "thing.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "thing", raising=False)
    return __import__("thing")


def timed(path: Path) -> dict[str, dict[int, int]]:
    """Return hits by line by function."""
    stats = LineStats.from_files(path)
    return {name: {line: hits for line, hits, _ in rows} for (_, _, name), rows in
            stats.timings.items()}  # fmt: skip


def test_all_functions_of_a_file_are_found_behind_their_decorators(thing: ModuleType) -> None:
    names = {function.__qualname__ for function in functions_of(thing)}
    assert names == {"loud", "Thing.Part.turn", "Thing.size", "Thing.make", "Thing.act",
                     "remembered"}  # fmt: skip


def test_functions_that_a_module_only_imports_are_not_its_own() -> None:
    files = {function.__code__.co_filename for function in functions_of(workers.pool)}
    assert files == {workers.pool.__file__}


def test_every_line_that_was_run_has_its_count(thing: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "times" / "rank0.lprof"
    with lines_timed(path):
        assert thing.Thing().act(5) == 5
        assert workers.shared.layout.Layout.plan(4, 2, 1).num_workers == 2
    found = timed(path)
    loop = SOURCE.splitlines().index("            total += 1") + 1
    assert found["Thing.act"][loop] == 5
    assert "Layout.plan" in found
    assert "Thing.make" not in found  # it was never called


def test_functions_still_travel_while_they_are_timed(thing: ModuleType, tmp_path: Path) -> None:
    with lines_timed(tmp_path / "x.lprof"):
        assert pickle.loads(pickle.dumps(thing.loud)) is thing.loud


def test_times_are_written_also_where_the_run_fails(thing: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "x.lprof"
    with pytest.raises(ZeroDivisionError), lines_timed(path):
        thing.Thing().act(1 // int(thing.Thing().act(0)))
    assert "Thing.act" in timed(path)
