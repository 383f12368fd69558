"""make kill: only this project's runs, checked by what the process is, not by its number alone."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.architecture.test_floors import ROOT
from training.doctor.kill_runs import RecordedRun, main, recorded_runs, stop_runs
from training.folders.lost_runs import LOST
from training.folders.run_folder import LOCK_FILE, RunFolder

SLEEPER = """\
import os, signal, sys, time
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--parent" in sys.argv:
    import subprocess
    subprocess.run([sys.executable, "main.py", "--deaf"])
print("ready", flush=True)
time.sleep(60)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `main.py` (or another script) of a small project; all are gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def start_script(*arguments: str, script: str = "main.py") -> subprocess.Popen[str]:
        (tmp_path / script).write_text(SLEEPER)
        process = subprocess.Popen(
            [sys.executable, script, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_script
    for process in started:
        process.kill()
        process.communicate()


def run_of(process: subprocess.Popen[str]) -> RecordedRun:
    return RecordedRun("demo", process.pid, socket.gethostname())


def test_a_recorded_run_of_this_project_is_stopped_by_sigterm(start: Start, tmp_path: Path) -> None:
    process = start()
    lines = stop_runs([run_of(process)], tmp_path, force=False, grace=10)
    assert lines == ["demo: stopped"]
    assert process.wait() == -signal.SIGTERM


def test_work_without_a_lock_is_found_and_stopped(start: Start, tmp_path: Path) -> None:
    process = start("--train_encoder")
    lines = stop_runs([], tmp_path, force=False, grace=10)
    assert lines == [f"--train_encoder (pid {process.pid}): stopped"]
    assert process.wait() == -signal.SIGTERM


def test_a_run_of_another_folder_is_left_alone(start: Start, tmp_path: Path) -> None:
    process = start()
    lines = stop_runs([run_of(process)], tmp_path / "elsewhere", force=True, grace=10)
    assert lines == ["demo: had ended already"]
    assert process.poll() is None


def test_a_stranger_that_got_the_recorded_pid_is_left_alone(start: Start, tmp_path: Path) -> None:
    process = start(script="editor.py")
    lines = stop_runs([run_of(process)], tmp_path, force=True, grace=10)
    assert lines == ["demo: had ended already"]
    assert process.poll() is None


def test_a_run_that_does_not_listen_is_named_and_then_forced(start: Start, tmp_path: Path) -> None:
    process = start("--deaf")
    lines = stop_runs([run_of(process)], tmp_path, force=False, grace=0.2)
    assert lines[0].startswith(f"demo: still there, pid {process.pid};")
    assert stop_runs([run_of(process)], tmp_path, force=True, grace=10) == ["demo: stopped"]
    assert process.wait() == -signal.SIGKILL


def test_force_takes_the_launcher_and_its_other_children_along(
    start: Start, tmp_path: Path
) -> None:
    launcher = start("--parent")
    [rank] = psutil.Process(launcher.pid).children()
    run = RecordedRun("demo", rank.pid, socket.gethostname())
    assert stop_runs([run], tmp_path, force=True, grace=10) == ["demo: stopped"]
    assert launcher.wait() == -signal.SIGKILL


def test_a_run_on_another_host_is_named(tmp_path: Path) -> None:
    run = RecordedRun("demo", 1, "elsewhere")
    lines = stop_runs([run], tmp_path, force=False, grace=1)
    assert lines == ["demo: runs on elsewhere; use make kill there"]


def test_locks_are_read_as_a_run_writes_them(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "open", mode="fresh") as run:
        RunFolder.open(tmp_path, "closed", mode="fresh").close()
        torn = tmp_path / "runs" / "torn" / LOCK_FILE
        torn.parent.mkdir()
        torn.write_text('{"pid": ')
        holder = json.loads((run.path / LOCK_FILE).read_text())
        assert recorded_runs(tmp_path / "runs") == [
            RecordedRun("open", holder["pid"], socket.gethostname())
        ]


def test_without_a_recorded_run_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert capsys.readouterr().out == "nothing of this project is running\n"


def test_a_run_that_died_without_a_word_is_told_and_its_status_says_so(tmp_path: Path) -> None:
    """Its process takes the run's lock and leaves without closing it."""
    script = (
        "import os; from pathlib import Path;"
        "from training.folders.run_folder import RunFolder;"
        "RunFolder.open(Path('logs'), 'demo', mode='fresh'); os._exit(0)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    (run,) = recorded_runs(tmp_path / "logs" / "runs")
    assert stop_runs([run], tmp_path, force=False) == [f"demo: {LOST}"]
    status = RunFolder(tmp_path / "logs", "demo").read_status() or {}
    assert (status["code"], status["reason"]) == (None, LOST)
