"""Programs that environments start: they can be ended, and none outlives its worker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.workers.pool_probes import CloseProbe, Fault
from tests.workers.pools import keeper_ids, make_pool, step, worker_ids
from tests.workers.program_probes import (
    CODES,
    IDS,
    ChildProbe,
    ProgramProbe,
    ToldProbe,
    UnmannerlyProbe,
    noted,
)
from tests.workers.test_pool_lifetime import assert_gone, is_alive
from workers.shared.protocol import WorkerError

ROOT = Path(__file__).parents[2]
EACH = 4  # programs of an environment
ONE = {"num_environments": 1, "num_processes": 1}

# Its process is killed by the test.
PARENT = """
import sys, time
from functools import partial
from tests.workers.pools import make_pool
from tests.workers.program_probes import ProgramProbe

if __name__ == "__main__":
    pool = make_pool(partial(ProgramProbe, sys.argv[1]), num_environments=1, num_processes=1)
    print("ready", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def bystander() -> Iterator[int]:
    """A program that no environment has started; it must be there at the end."""
    with subprocess.Popen(["sleep", "1000"]) as program:
        yield program.pid
        assert program.poll() is None
        program.kill()


def programs_of(folder: Path, environments: int = 1) -> list[int]:
    """The programs that are alive, after as many environments have been built."""
    ids = noted(folder, IDS)
    assert len(ids) == EACH * environments
    return ids


def test_programs_that_an_environment_forgets_end_with_its_worker(
    tmp_path: Path, bystander: int
) -> None:
    with make_pool(partial(ProgramProbe, str(tmp_path)), **ONE):
        assert all(map(is_alive, programs_of(tmp_path)))
    assert not any(map(is_alive, programs_of(tmp_path)))


@pytest.mark.parametrize("whose", ["worker", "keeper's order"])
def test_programs_of_a_killed_worker_end_and_those_of_its_successor_live(
    whose: str, tmp_path: Path, bystander: int
) -> None:
    fault = Fault("kill" if whose == "worker" else "hang", environment=0, when=1)
    make = partial(ProgramProbe, str(tmp_path), fault)
    with make_pool(make, **ONE, step_timeout=2.0) as pool:
        pool.reset()
        while not pool.worker_restarts:
            step(pool)
        ids = programs_of(tmp_path, environments=2)
        assert [is_alive(pid) for pid in ids] == [False] * EACH + [True] * EACH


def test_programs_end_with_a_killed_parent(tmp_path: Path, bystander: int) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        below = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
        assert len(below) >= 2 + EACH
        parent.kill()
        assert_gone([*below, *programs_of(tmp_path)])


def test_a_stopped_keeper_and_its_programs_end_with_the_pool(tmp_path: Path) -> None:
    with make_pool(partial(ProgramProbe, str(tmp_path)), **ONE):
        keepers = list(keeper_ids().values())
        for pid in keepers:
            os.kill(pid, signal.SIGSTOP)
    assert_gone([*keepers, *programs_of(tmp_path)])


def test_programs_end_with_a_worker_that_cannot_be_built(tmp_path: Path) -> None:
    make = partial(build_and_fail, str(tmp_path))
    with pytest.raises(WorkerError, match="no second player"):
        make_pool(make, **ONE)
    assert not any(map(is_alive, programs_of(tmp_path)))


def build_and_fail(folder: str) -> ProgramProbe:
    ProgramProbe(folder)
    raise ValueError("no second player")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_environment_can_end_its_program_by_a_signal(
    number: signal.Signals, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An ignored signal would be ignored by every program that a worker starts."""
    with make_pool(partial(ToldProbe, str(tmp_path), number), **ONE):
        pass
    assert noted(tmp_path, CODES) == [-number]
    assert not caplog.records


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_environment_may_have_processes_of_its_own(method: str, tmp_path: Path) -> None:
    with make_pool(partial(ChildProbe, str(tmp_path), method), **ONE) as pool:
        pool.reset()
        for action in (1, 3):
            pool.send(0, np.full(1, action, np.int64))
            assert pool.recv(0).rewards == [10 + action]
    assert noted(tmp_path, CODES) == [-signal.SIGTERM]


def test_a_child_process_does_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    with make_pool(partial(ChildProbe, str(tmp_path), "spawn"), **ONE) as pool:
        pool.reset()
        os.kill(worker_ids()["worker-0"], signal.SIGKILL)
        step(pool)
        first, second = noted(tmp_path, IDS)
        assert (is_alive(first), is_alive(second)) == (False, True)
    assert not is_alive(second)


def test_an_environment_that_takes_the_signals_for_itself_does_not_keep_them() -> None:
    with make_pool(UnmannerlyProbe, **ONE) as pool:
        pool.reset()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(worker_ids()["worker-0"], number)
        step(pool)
        assert pool.worker_restarts == 0


def test_a_worker_that_takes_too_long_to_close_is_killed_and_named_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make_pool(partial(CloseProbe, Fault("hang")), **ONE) as pool:
        pool.reset()
        pid = worker_ids()["worker-0"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"worker 0 (pid {pid}, environment 0) did not end within 1 s of being asked to and was "
        "killed while closing environment 0"
    )


def test_a_worker_is_in_no_process_group_of_its_starter() -> None:
    """So that a Ctrl-C, or a Ctrl-Z, at a terminal ends no simulator in the middle of an update."""
    with make_pool(partial(CloseProbe, Fault("none")), **ONE):
        pid = worker_ids()["worker-0"]
        assert os.getpgid(pid) != os.getpgrp()
        assert os.getsid(pid) == os.getsid(0)  # where `nice` counts among all processes


def test_the_process_that_is_named_is_the_one_that_runs_the_environments() -> None:
    fault = Fault("kill", environment=0, when=0)
    with make_pool(partial(CloseProbe, fault), max_restarts=0, **ONE) as pool:
        pool.reset()
        pid = worker_ids()["worker-0"]
        with pytest.raises(WorkerError, match=rf"worker 0 \(pid {pid}, .*killed by SIGKILL"):
            step(pool)
