"""Job files of make slurm, and the two commands of Slurm that they use, on one machine."""

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from commands.slurm import main
from tests.multinode.nodes import Node
from tests.runs import MAIN, MARKER

SCONTROL = """\
#!/bin/sh
case $1 in
  show) printf '%s\\n' $SCOUT_TEST_NODES ;;
  requeue) echo "$2" >> "$SCOUT_TEST_REQUEUED" ;;
esac
"""

# As srun --kill-on-bad-exit=1: signals go to all tasks, and the first that fails takes the others.
SRUN = f"""\
#!{sys.executable}
import os, signal, subprocess, sys, time

nodes = zip(os.environ["SCOUT_TEST_NODES"].split(), os.environ["SCOUT_TEST_PIDS"].split())
tasks = []
signal.signal(signal.SIGTERM, lambda *_: [task.terminate() for task in tasks])
for number, (address, pid) in enumerate(nodes):
    place = {{"SLURM_NODEID": str(number), "SLURMD_NODENAME": address}}
    enter = ["nsenter", "--target=" + pid, "--net", "--uts"]
    tasks.append(subprocess.Popen([*enter, *sys.argv[2:]], env=os.environ | place))
while any(task.poll() is None for task in tasks):
    if any(task.poll() for task in tasks):
        time.sleep(5)
        [task.kill() for task in tasks]
    time.sleep(0.1)
sys.exit(max(task.returncode & 0xFF for task in tasks))
"""


def job_file(folder: Path, *words: str) -> Path:
    """Write a job file in `folder` as make slurm does there; return its path."""
    with pytest.MonkeyPatch.context() as moved:
        moved.chdir(folder)
        assert main([*words, "FILE=job.sbatch", "OVERWRITE=1"]) == 0
    return folder / "job.sbatch"


def work_folder(folder: Path) -> Path:
    """Return a folder from which jobs are submitted, as Scout's own."""
    (folder / "shared").mkdir()
    (folder / "shared" / "main.py").symlink_to(MAIN)
    return folder / "shared"


def slurm(folder: Path, nodes: tuple[Node, ...]) -> dict[str, str]:
    """Return the variables of a job on these nodes, with Slurm's commands on its path.

    The file `requeued` in `folder` has a line for each time that the job was put back.
    """
    return _commands(folder) | {
        "SCOUT_TEST_NODES": " ".join(node.address for node in nodes),
        "SCOUT_TEST_PIDS": " ".join(str(node.pid) for node in nodes),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "scout-node-[1-2]",
        "SLURM_NNODES": str(len(nodes)),
        "SLURM_CPUS_PER_TASK": "1",
    }


def task(folder: Path, number: int) -> dict[str, str]:
    """Return the variables of a task of an array, with Slurm's commands on its path."""
    return _commands(folder) | {
        "SLURM_ARRAY_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_CPUS_PER_TASK": "2",
    }


def submitted(job: Path, variables: Mapping[str, str], mark: str = "") -> "subprocess.Popen[str]":
    """Start a job file as Slurm would on its first node; its processes carry `mark`."""
    return subprocess.Popen(
        ["bash", str(job)],
        cwd=job.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", MARKER: mark} | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _commands(folder: Path) -> dict[str, str]:
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        path = folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SCOUT_TEST_REQUEUED": str(folder / "requeued"),
    }
