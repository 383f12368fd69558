"""The PyTorch profiler: traces with names of ours in them, and the table at the end."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from training.loop.profiling import (
    PROFILED_UPDATES,
    TOP_OPERATORS,
    NullProfiler,
    TracedStopwatch,
    top_operators,
    torch_profiler,
)


def think() -> None:
    """What stands for an update."""
    layer = torch.nn.Linear(8, 8)
    layer(torch.zeros(4, 8)).sum().backward()


def record(folder: Path, updates: int) -> list[str]:
    said: list[str] = []
    stopwatch = TracedStopwatch()
    with torch_profiler(folder, 1, said.append) as profiler:
        for _ in range(updates):
            with stopwatch.measure("learn"):
                think()
            profiler.step()
    assert stopwatch.read()[1]["learn"] > 0
    return said


def names_in_trace(folder: Path) -> list[str]:
    (trace,) = folder.glob("rank1.*.pt.trace.json.gz")
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    return [event.get("name", "") for event in events]


def test_a_trace_holds_parts_of_the_loop_operators_and_python_functions(tmp_path: Path) -> None:
    announced, said = record(tmp_path, PROFILED_UPDATES)
    assert announced.startswith("writing the trace to ")
    names = names_in_trace(tmp_path)
    assert names.count("scout/learn") == 2
    assert "aten::linear" in names
    assert any(name.endswith("): think") and "test_profiling.py" in name for name in names)
    table = (tmp_path / "top_operators_rank1.txt").read_text()
    assert table in said
    assert str(tmp_path) in said


@pytest.mark.parametrize("all_threads", [True, False])
def test_learning_in_a_thread_of_its_own_is_in_the_trace_where_it_is_asked_for(
    tmp_path: Path, all_threads: bool
) -> None:
    said: list[str] = []
    with (
        ThreadPoolExecutor(1) as thread,
        torch_profiler(tmp_path, 1, said.append, all_threads=all_threads) as profiler,
    ):
        for _ in range(PROFILED_UPDATES):
            thread.submit(think).result()
            torch.ones(1).exp()
            profiler.step()
    names = names_in_trace(tmp_path)
    assert "aten::exp" in names
    assert ("aten::linear" in names) == all_threads


def test_the_table_has_parts_and_operators_and_no_python_functions(tmp_path: Path) -> None:
    _, said = record(tmp_path, PROFILED_UPDATES)
    parts, operators = said.split("\n\n")
    assert "scout/learn" in parts
    rows = operators.splitlines()[1:-1]
    assert 1 < len(rows) <= TOP_OPERATORS
    assert any(row.startswith("aten::") for row in rows)
    assert ".py(" not in said
    assert "scout/" not in operators.partition("\n")[0]
    assert max(len(row) for row in rows) <= 100
    own = [float(row[-19:-8]) for row in rows]
    assert own == sorted(own, reverse=True)


def test_a_run_that_ends_before_anything_was_recorded_leaves_no_table(tmp_path: Path) -> None:
    assert record(tmp_path, 2) == []
    assert list(tmp_path.glob("top_operators*")) == []


def test_nothing_is_an_empty_table() -> None:
    assert "operator" in top_operators([])


def test_without_a_profiler_a_step_does_nothing() -> None:
    NullProfiler().step()
