"""A benchmark that is stopped, and all that it has started."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.kept_program import KeptProgram, run_kept
from tests.workers.test_pool_lifetime import assert_gone, is_alive

ROOT = Path(__file__).parents[2]

# A trainer with a server of its own, which has left it, and which hears no SIGTERM.
TRAINER = """
trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ >> ids; exec sleep 1000' &
echo $$ >> ids
exec sleep 1000
"""
# A benchmark that has started one trainer, and beside it environments of its own.
BENCHMARK = """
import argparse, multiprocessing, pathlib, sys, time
from benchmarks.kept_program import KeptProgram
from benchmarks.log import recording

if __name__ == "__main__":
    with recording("test", argparse.Namespace(), (), log=None):
        KeptProgram(["sh", "trainer.sh"])
        child = multiprocessing.get_context("fork").Process(
            target=time.sleep, args=(1000,), daemon=True
        )
        child.start()
        ids = pathlib.Path("ids")
        while not ids.exists() or len(ids.read_text().split()) < 2:
            time.sleep(0.01)
        print(child.pid, flush=True)
        time.sleep(1000)
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_nothing_that_a_stopped_benchmark_has_started_lives_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "trainer.sh").write_text(TRAINER)
    (tmp_path / "bench.py").write_text(BENCHMARK)
    with subprocess.Popen(
        [sys.executable, "bench.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as benchmark:
        assert benchmark.stdout is not None
        lines = iter(benchmark.stdout.readline, "")
        own = next(int(line) for line in lines if line.strip().isdigit())
        ids = [own, *map(int, (tmp_path / "ids").read_text().split())]
        assert all(map(is_alive, ids))
        benchmark.send_signal(number)
        benchmark.wait(60)
        assert_gone(ids)


def test_a_program_hears_a_signal_and_ends_as_if_it_were_started_plainly(tmp_path: Path) -> None:
    with KeptProgram(
        ["sh", "-c", "trap 'echo stopping; exit 75' TERM; echo ready; sleep 1000 & wait"],
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.terminate()
        assert program.stdout.readline() == "stopping\n"
        assert program.wait(60) == 75
    assert run_kept(["sh", "-c", "kill -KILL $$"]).returncode == -signal.SIGKILL
    done = run_kept(["sh", "-c", "echo said; exit 3"], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "said\n")


def test_a_program_that_is_not_there_is_named() -> None:
    done = run_kept(["no-such-trainer"])
    assert (done.returncode, done.stderr) == (
        127,
        "no-such-trainer cannot be started: No such file or directory\n",
    )


def marked(mark: str) -> list[int]:
    """The processes with that variable's value in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SCOUT_TEST_BENCHMARK") == mark:
                found.append(process.pid)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_comparison_of_pools_leaves_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    mark = str(tmp_path)
    command = "-m benchmarks.pool --no_log --env CartPole-v1 --num_envs 8 --repeats 1000"
    with subprocess.Popen(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env={**os.environ, "SCOUT_TEST_BENCHMARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as benchmark:
        while len(ids := marked(mark)) < 12 and benchmark.poll() is None:
            time.sleep(0.1)
        benchmark.send_signal(number)
        assert benchmark.wait(60) == 128 + number
        assert_gone([*ids, *marked(mark)])
