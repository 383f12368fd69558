"""Stops this project's runs on this machine: `python -m training.doctor.kill_runs [--force]`.

The lock of a run names the pid and host of its rank 0. A pid alone may have passed on to a
stranger, so a process is touched only where its command line names main.py and its working folder
is this project's. What has no such lock (rollouts, encoders, evaluations) is found by the same two.
"""

import argparse
import json
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from training.folders.lost_runs import LOST, note_lost
from training.folders.run_folder import LOCK_FILE

GRACE = 30.0  # seconds a run gets to finish its update and save
POLL = 0.1  # seconds between two looks
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class RecordedRun:
    """What a run wrote down about its rank 0 when it took the lock."""

    name: str
    pid: int
    host: str


def recorded_runs(runs_folder: Path) -> list[RecordedRun]:
    """The runs that hold a lock. A run that ended by itself leaves an empty one."""
    runs = []
    for path in sorted(runs_folder.glob(f"*/{LOCK_FILE}")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text.strip():
            continue
        try:
            holder = json.loads(text)
            runs.append(RecordedRun(path.parent.name, int(holder["pid"]), str(holder["host"])))
        except (ValueError, KeyError, TypeError):
            sys.stderr.write(f"{path} names no process; passed over\n")
    return runs


def is_run_of(process: psutil.Process, project: Path) -> bool:
    """Whether a process runs main.py in the project's folder (also torchrun, its parent)."""
    try:
        names_main = any(Path(part).name == "main.py" for part in process.cmdline())
        return names_main and Path(process.cwd()) == project
    except psutil.Error:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still does anything; an ended one that nobody collected does not."""
    try:
        running: bool = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return running


def processes_of(run: RecordedRun, project: Path) -> list[psutil.Process]:
    """A run's processes on this machine, rank 0 first: rank 0, torchrun, all that these started.

    Empty where the recorded pid is gone or belongs to something else.
    """
    try:
        rank = psutil.Process(run.pid)
        if not (is_alive(rank) and is_run_of(rank, project)):
            return []
        ancestors = [parent for parent in rank.parents() if is_run_of(parent, project)]
        top = ancestors[-1] if ancestors else rank
        others = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [rank, *(process for process in others if process.pid != rank.pid)]


def other_work(project: Path, known: Collection[int]) -> dict[str, list[psutil.Process]]:
    """Return what else main.py does in the project's folder: its flag -> its processes.

    The first of them is the one that was started, which ends all others: main.py or torchrun.

    Args:
        project: the folder, resolved.
        known: pids of recorded runs.
    """
    found = {}
    for process in psutil.process_iter():
        if process.pid in known or not is_run_of(process, project):
            continue
        try:
            parent = process.parent()
            if parent is not None and is_run_of(parent, project):
                continue
            flags = (word for word in process.cmdline() if word.startswith("--"))
            after_main = next((flag for flag in flags if flag[2:].isidentifier()), "main.py")
            name = f"{after_main} (pid {process.pid})"
            found[name] = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def wait_until_gone(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait at most `seconds`; return the processes that are still alive then."""
    deadline = time.monotonic() + seconds
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(POLL)
        alive = [process for process in alive if is_alive(process)]
    return alive


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Signal each process that is still there."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def stop_runs(
    runs: Sequence[RecordedRun], project: Path, *, force: bool, grace: float = GRACE
) -> list[str]:
    """Stop the runs and all other work of main.py; return one line on each.

    Args:
        runs: what the lock files say.
        project: the folder whose runs are meant, resolved.
        force: SIGKILL to all processes of a run, instead of SIGTERM to rank 0. A run that gets
            SIGTERM agrees with its ranks on an update, saves and ends.
        grace: seconds to wait for all of them together.
    """
    lines = []
    stopping: dict[str, list[psutil.Process]] = {}
    for run in runs:
        if run.host != socket.gethostname():
            lines.append(f"{run.name}: runs on {run.host}; use make kill there")
            continue
        processes = processes_of(run, project)
        if not processes:
            lost = note_lost(project / "logs", run.name)
            lines.append(f"{run.name}: {LOST if lost else 'had ended already'}")
            continue
        stopping[run.name] = processes
    known = {process.pid for processes in stopping.values() for process in processes}
    stopping |= other_work(project, known)
    for processes in stopping.values():
        send(processes if force else processes[:1], signal.SIGKILL if force else signal.SIGTERM)
    deadline = time.monotonic() + grace
    for name, processes in stopping.items():
        alive = wait_until_gone(processes, deadline - time.monotonic())
        if alive:
            pids = ", ".join(str(process.pid) for process in alive)
            lines.append(f"{name}: still there, pid {pids}; make kill ARGS=--force ends it now")
        else:
            if any(run.name == name for run in runs):
                note_lost(project / "logs", name, "ended at once by make kill ARGS=--force", KILLED)
            lines.append(f"{name}: stopped")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the locks under logs/runs and stop what they name. 1 where something is still there."""
    parser = argparse.ArgumentParser(
        prog="python -m training.doctor.kill_runs", description=__doc__
    )
    parser.add_argument("--force", action="store_true", help="SIGKILL: nothing is saved")
    parser.add_argument("--grace", type=float, default=GRACE, help="seconds to wait")
    options = parser.parse_args(arguments)
    project = Path.cwd().resolve()
    runs = recorded_runs(project / "logs" / "runs")
    lines = stop_runs(runs, project, force=options.force, grace=options.grace)
    sys.stdout.write("\n".join(lines or ["nothing of this project is running"]) + "\n")
    return 1 if any(": still there" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
