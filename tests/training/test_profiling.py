"""The PyTorch profiler: traces with names of ours in them, and the table at the end."""

import gzip
import json
from pathlib import Path

import torch

from training.profiling import (
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


def test_a_trace_holds_parts_of_the_loop_operators_and_python_functions(tmp_path: Path) -> None:
    (said,) = record(tmp_path, PROFILED_UPDATES)
    (trace,) = tmp_path.glob("rank1.*.pt.trace.json.gz")
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    names = [event.get("name", "") for event in events]
    assert names.count("scout/learn") == 2
    assert "aten::linear" in names
    assert any(name.endswith("): think") and "test_profiling.py" in name for name in names)
    table = (tmp_path / "top_operators_rank1.txt").read_text()
    assert table in said
    assert str(tmp_path) in said


def test_the_table_has_parts_and_operators_and_no_python_functions(tmp_path: Path) -> None:
    (said,) = record(tmp_path, PROFILED_UPDATES)
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
