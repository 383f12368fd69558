"""Two nodes on one machine: network namespaces of their own, joined by a cable of two ends.

Each node has a host name, an address and a loopback of its own, and sees no other network. The
kernel takes namespaces and cable down with the last process in them, however the tests end.
This needs Linux, iproute2, util-linux, and root.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

from tests.runs import DEADLINE, MAIN, MARKER, SECONDS_BETWEEN_LOOKS

CABLE = "veth0"
TOOLS = ("ip", "unshare", "nsenter")


class Node:
    """A host name and a network; processes are started on it through `command`.

    Args:
        number: 1 or 2.
    """

    def __init__(self, number: int) -> None:
        self.name = f"scout-node-{number}"
        self.address = f"10.77.0.{number}"
        # Ends with this process: its standard input is closed then.
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c", f"hostname {self.name}; echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        if not self._keeper.stdout.readline():
            _, words = self._keeper.communicate()
            raise OSError(words.decode(errors="replace").strip())

    @property
    def pid(self) -> int:
        """The process that keeps the namespaces."""
        return self._keeper.pid

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs `words` on this node."""
        return ["nsenter", f"--target={self.pid}", "--net", "--uts", *words]

    def run(self, *words: str) -> str:
        """Run a short command on this node; return what it prints."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def cut(self) -> None:
        """Pull the cable: packets vanish, and nobody is told."""
        self.run("ip", "link", "set", CABLE, "down")

    def close(self) -> None:
        """Let the namespaces go."""
        self._keeper.communicate()


@contextmanager
def two_nodes() -> Iterator[tuple[Node, Node]]:
    """Two nodes with a cable between them.

    Raises:
        OSError: the kernel, or the user's rights, do not allow it.
    """
    with ExitStack() as stack:
        nodes = Node(1), Node(2)
        for node in nodes:
            stack.callback(node.close)
        ends = [f"name {CABLE} netns {node.pid}" for node in nodes]
        words = f"link add {ends[0]} type veth peer {ends[1]}"
        done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"ip {words}: {done.stderr.strip()}")
        for node in nodes:
            node.run("ip", "address", "add", f"{node.address}/24", "dev", CABLE)
            node.run("ip", "link", "set", CABLE, "up")
            node.run("ip", "link", "set", "lo", "up")
        yield nodes


@cache
def why_not() -> str:
    """Return why there can be no two nodes here; "" where there can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    try:
        with two_nodes():
            return ""
    except OSError as error:
        return f"network namespaces are not permitted: {error}"


class NodeRun:
    """A run's part on one node; its processes carry a mark of their own in their environment.

    Args:
        node: where it runs.
        folder: its disk: logs and checkpoints lie there.
        command: what to start, the interpreter left out.
        environment: variables to add.
    """

    def __init__(
        self, node: Node, folder: Path, command: list[str], environment: Mapping[str, str]
    ) -> None:
        self.node = node
        self.folder = folder
        self._mark = secrets.token_hex(8)
        self._output = folder / f"output-{self._mark}.txt"
        own = {MARKER: self._mark, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                node.command(sys.executable, *command),
                cwd=folder,
                env=dict(os.environ) | own | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What all its processes have written."""
        return self._output.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Return its processes that are alive."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def ranks(self) -> list[psutil.Process]:
        """Return its agent processes."""
        return [process for process in self.processes() if _is_agent(process)]

    def wait_for_ranks(self, seconds: float = DEADLINE) -> None:
        """Wait until all its agent processes are gone."""
        self.wait_until(lambda: not self.ranks(), seconds, alive=False)

    def wait(self, seconds: float = DEADLINE) -> int:
        """Wait for its first process; return the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"not over after {seconds} s:\n{self.output}") from error

    def wait_until(
        self, condition: Callable[[], bool], seconds: float = DEADLINE, *, alive: bool = True
    ) -> None:
        """Wait for `condition`, as long as the run lives if it has to."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or (alive and self.process.poll() is not None):
                raise AssertionError(f"what was waited for never came:\n{self.output}")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def kill(self) -> None:
        """Kill all its processes, as the node's death would."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                return bool(process.environ().get(MARKER) == self._mark)
        return False


def _is_agent(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return str(MAIN) in process.cmdline()[1:3]  # torchrun adds -u; its own line is longer
    return False
