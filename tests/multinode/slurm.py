"""The two commands of Slurm that docs/cluster/train.sbatch uses, for two nodes on one machine."""

import os
import stat
import sys
from pathlib import Path

from tests.multinode.nodes import Node

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


def slurm(folder: Path, nodes: tuple[Node, ...]) -> dict[str, str]:
    """Write the commands into `folder`; return the variables with which a job's script finds them.

    The file `requeued` in `folder` has a line for each time that the job was put back.
    """
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        path = folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SCOUT_TEST_NODES": " ".join(node.address for node in nodes),
        "SCOUT_TEST_PIDS": " ".join(str(node.pid) for node in nodes),
        "SCOUT_TEST_REQUEUED": str(folder / "requeued"),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "scout-node-[1-2]",
        "SLURM_NNODES": str(len(nodes)),
    }
