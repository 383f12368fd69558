"""Profilers and workers: nothing where none was asked for, else a file of every worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from line_profiler.line_profiler import LineStats

from tests.architecture.test_floors import ROOT
from tests.workers.pool_probes import GameProbe
from tests.workers.pools import make_pool, step
from workers.profilers.profiling import PREFIX, followed_by_profilers, grace, profiled

UNLOADED = """\
import sys
import workers.supervision.worker, workers.pool
from pathlib import Path
from workers.profilers.profiling import followed_by_profilers, profiled
with followed_by_profilers(Path("x")), profiled():
    pass
print(*sorted({"line_profiler", "scalene"} & {name.split(".")[0] for name in sys.modules}))
"""


def test_without_a_profiler_none_is_loaded(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "LINE_PROFILE"}
    done = subprocess.run(
        [sys.executable, "-c", UNLOADED],
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("switch", ["", "0", "off", "False"])
def test_a_switch_that_is_off_times_nothing_and_waits_for_nothing(
    switch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINE_PROFILE", switch)
    with followed_by_profilers(tmp_path / "rank0"), profiled():
        assert PREFIX not in os.environ
        assert grace(1.0) == 1.0
    assert list(tmp_path.iterdir()) == []


def test_every_worker_leaves_its_line_times_beside_those_of_its_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINE_PROFILE", "1")
    with followed_by_profilers(tmp_path / "rank3"):
        assert grace(1.0) > 30.0
        with make_pool(GameProbe) as pool, profiled():
            pool.reset()
            for _ in range(7):
                step(pool)
    assert PREFIX not in os.environ
    names = ["rank3-worker0.lprof", "rank3-worker1.lprof", "rank3.lprof"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        timings = LineStats.from_files(tmp_path / name).timings
        hits = {function: rows[0][1] for (_, _, function), rows in timings.items()}
        if name == "rank3.lprof":
            assert hits["WorkerPool.recv"] == 7
        else:
            assert hits["OwnedEnvironments.step"] == 7
            assert hits["GameProbe.step"] == 14  # two environments each
