"""How workers begin and end: with their pool, with their parent, and never by a stray signal."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.workers.pool_probes import BASE_SEED, CloseProbe, Fault, GameProbe
from tests.workers.pools import keeper_ids, worker_ids
from workers.pool import WorkerPool
from workers.shared.protocol import PoolStateError, WorkerError

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds

PROGRAM = """
import sys, time
from functools import partial
import numpy as np
from tests.workers.pool_probes import BASE_SEED, Fault, GameProbe
from tests.workers.pools import keeper_ids, worker_ids
from workers.pool import WorkerPool

if __name__ == "__main__":
    make = partial(GameProbe, Fault(sys.argv[1], environment=0, when=0))
    pool = WorkerPool(
        make, num_environments=4, num_processes=2, base_seed=BASE_SEED, step_timeout=2.4
    )
    pool.reset()
    pool.send(0, np.zeros(4, np.int64))
    time.sleep(0.4)  # the step has begun, and hangs if it is to hang
    print(*keeper_ids().values(), *worker_ids().values(), flush=True)
    match sys.argv[2]:
        case "stay":
            time.sleep(1000)
        case "wait":
            pool.recv(0)
            print(pool.worker_restarts, flush=True)
"""


@contextmanager
def program(path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run PROGRAM; yield it and the process ids of its workers, after those of their keepers."""
    path.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, path, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield process, [int(word) for word in process.stdout.readline().split()]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is more than an entry in the table."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and any(map(is_alive, pids)):
        time.sleep(0.01)
    assert not [pid for pid in pids if is_alive(pid)]


def workers() -> list[int]:
    """Process ids of the workers there are, in their order."""
    return list(worker_ids().values())


def make_pool(
    make: partial[GameProbe] | type[GameProbe] = GameProbe, max_restarts: int = 100
) -> WorkerPool:
    return WorkerPool(
        make,
        num_environments=4,
        num_processes=2,
        base_seed=BASE_SEED,
        max_restarts=max_restarts,
    )


@pytest.mark.parametrize("fault", ["none", "hang", "hang in C"])
def test_no_worker_and_no_shared_memory_outlives_a_killed_parent(
    fault: str, tmp_path: Path
) -> None:
    with program(tmp_path / "program.py", fault, "stay") as (parent, pids):
        assert len(pids) == 4
        assert all(map(is_alive, pids))
        maps = Path(f"/proc/{parent.pid}/maps").read_text()
        assert "/dev/shm" not in maps
        parent.kill()
        assert_gone(pids)


def test_a_pool_that_nobody_closes_does_not_keep_its_program_from_ending(tmp_path: Path) -> None:
    with program(tmp_path / "program.py", "hang", "go") as (parent, pids):
        assert parent.wait(PATIENCE) == 0
        assert_gone(pids)


@pytest.mark.slow
def test_the_time_for_which_a_whole_run_is_stopped_does_not_count(tmp_path: Path) -> None:
    """As a scheduler does it; the step that is stopped sleeps for 1.2 seconds by itself."""
    with program(tmp_path / "program.py", "dawdle", "wait") as (parent, pids):
        assert parent.stdout is not None
        for number, seconds in ((signal.SIGSTOP, 4), (signal.SIGCONT, 0)):
            for pid in (parent.pid, *pids):
                os.kill(pid, number)
            time.sleep(seconds)
        assert parent.stdout.readline() == "0\n"


def test_workers_and_keepers_ignore_the_signals_that_end_a_run() -> None:
    with make_pool() as pool:
        pool.reset()
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGUSR1,
            signal.SIGHUP,
            signal.SIGQUIT,
        ):
            for pid in (*workers(), *keeper_ids().values()):
                os.kill(pid, number)
        pool.send(0, np.zeros(4, np.int64))
        pool.recv(0)
        assert pool.worker_restarts == 0


def signal_children(is_over: threading.Event) -> None:
    """Send SIGTERM to this process's children as soon as there are any, again and again."""
    me = str(os.getpid())
    while not is_over.wait(0.002):
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rsplit(")", 1)[1].split()
                if fields[1] == me:
                    os.kill(int(entry.parent.name), signal.SIGTERM)
            except (FileNotFoundError, ProcessLookupError):
                continue


def test_signals_to_workers_that_are_still_starting_do_no_harm() -> None:
    is_over = threading.Event()
    thread = threading.Thread(target=signal_children, args=(is_over,))
    thread.start()
    try:
        with make_pool() as pool:
            pool.reset()
    finally:
        is_over.set()
        thread.join()


def test_the_starters_environment_and_signal_mask_are_left_as_they_were() -> None:
    before = dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with make_pool():
        pass
    assert (dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before


def test_closing_twice_is_as_good_as_once_and_leaves_no_process_and_no_descriptor() -> None:
    make_pool().close()  # what multiprocessing starts and keeps, it has now
    descriptors = len(os.listdir("/proc/self/fd"))
    pool = make_pool()
    pids = workers()
    observations = pool.reset()
    pool.close()
    pool.close()
    assert not workers()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids), "not even a zombie"
    assert observations.sum() > 0, "what the caller holds stays readable"
    del observations, pool
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(partial(CloseProbe, Fault("hang")), id="in close"),
        pytest.param(partial(GameProbe, Fault("hang", when=0)), id="in a step"),
        pytest.param(partial(GameProbe, Fault("hang in C", when=0)), id="in a step, in C"),
    ],
)
def test_a_pool_whose_worker_hangs_is_closed_all_the_same(make: partial[GameProbe]) -> None:
    pool = make_pool(make)
    pids = workers()
    pool.reset()
    pool.send(0, np.zeros(4, np.int64))
    pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_pool_is_closed_after_an_error_even_if_another_worker_is_stopped() -> None:
    fault = Fault("raise", phase="reset", when=0)
    pool = make_pool(partial(GameProbe, fault), max_restarts=0)
    pids = workers()
    os.kill(pids[1], signal.SIGSTOP)
    with pytest.raises(WorkerError, match="joystick"):
        pool.reset()
    pool.close()
    pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_pool_in_another_than_the_main_thread_is_refused() -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            make_pool()
        except PoolStateError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "from the main thread" in str(caught[0])
