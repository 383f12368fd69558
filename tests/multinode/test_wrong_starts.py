"""Row 11: what two nodes were told wrongly is said on both, once, before the first update."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.multinode.nodes import CABLE, Node
from tests.multinode.starts import PORT, ended_anyway, errors, start, torchrun_flags
from tests.runs import DEADLINE, MAIN

SECONDS_BETWEEN_THE_NODES_ENDS = 5.0
LISTEN = (
    "import socket, sys, time; s = socket.create_server(('0.0.0.0', int(sys.argv[1])));"
    "print(flush=True); sys.stdin.read()"
)
ASK_DOCTOR = (
    "import sys; from training.doctor import machine;"
    "print(machine.report(machine.endpoint_findings(sys.argv[1])))"
)

Nodes = tuple[Node, Node]

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Mistake:
    """What is different on each node, and what both must say of it."""

    said: Sequence[str]
    interfaces: tuple[str, str] = (CABLE, CABLE)
    arguments: tuple[Sequence[str], Sequence[str]] = ((), ())
    by_name: bool = False
    dead_end: bool = False


MISTAKES = {
    "an interface that is not there": Mistake(
        interfaces=(CABLE, "eth7"),
        said=(
            "rank 1 on scout-node-2: GLOO_SOCKET_IFNAME=eth7 names no interface of this host",
            f"{CABLE} (10.77.0.2)",
        ),
    ),
    "the loopback": Mistake(
        interfaces=("lo", CABLE),
        said=("rank 0 on scout-node-1: GLOO_SOCKET_IFNAME=lo", f"{CABLE} (10.77.0.1)"),
    ),
    "an interface that leads elsewhere": Mistake(
        interfaces=("veth8", CABLE),
        dead_end=True,
        said=(
            "rank 1 on scout-node-2 (10.77.0.2): cannot connect to rank 0 on scout-node-1 "
            "(10.88.0.1)",
            "GLOO_SOCKET_IFNAME",
        ),
    ),
    "a name without an address": Mistake(
        by_name=True, said=("MASTER_ADDR=scout-node-1", "--local-addr=")
    ),
    "another recipe": Mistake(
        arguments=((), ("--set", "Gamma=0.9")),
        said=("Gamma: rank 0 0.999, rank 1 0.9", "start every node with the same command"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MISTAKES))
def test_both_nodes_say_what_is_wrong_and_end(nodes: Nodes, tmp_path: Path, name: str) -> None:
    mistake = MISTAKES[name]
    first, _ = nodes
    if mistake.dead_end:
        lay_dead_end(first)
    runs = [
        start(
            node,
            first,
            tmp_path,
            *mistake.arguments[index],
            torchrun=torchrun_flags(node, first, by_name=mistake.by_name),
            environment={"GLOO_SOCKET_IFNAME": mistake.interfaces[index]},
        )
        for index, node in enumerate(nodes)
    ]
    with ended_anyway(*runs):
        runs[0].wait_until(lambda: any(r.process.poll() is not None for r in runs), alive=False)
        end = time.monotonic() + SECONDS_BETWEEN_THE_NODES_ENDS
        assert [run.wait(end - time.monotonic()) for run in runs] == [1, 1]
        for run in runs:
            [message] = errors(run)
            assert "exitcode: 2" in message  # torchrun's own report, after the rank's words
            assert [words for words in mistake.said if words not in message] == []


def lay_dead_end(node: Node) -> None:
    """Give the node a second interface, whose network has nobody else in it."""
    node.run("ip", "link", "add", "veth8", "type", "veth", "peer", "name", "veth9")
    node.run("ip", "address", "add", "10.88.0.1/24", "dev", "veth8")
    for end in ("veth8", "veth9"):
        node.run("ip", "link", "set", end, "up")


@contextmanager
def busy_port(node: Node) -> Iterator[None]:
    """Let somebody else listen on the rendezvous's port."""
    command = node.command(sys.executable, "-c", LISTEN, str(PORT))
    listener = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert listener.stdout is not None
    listener.stdout.readline()
    yield
    listener.communicate()


def doctor(node: Node) -> str:
    """Return what the doctor says on `node` of the endpoint on the first one."""
    done = subprocess.run(
        node.command(sys.executable, "-c", ASK_DOCTOR, f"10.77.0.1:{PORT}"),
        cwd=MAIN.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    return done.stdout


def test_the_doctor_says_on_each_node_whether_they_can_meet_and_with_which_flags(
    nodes: Nodes,
) -> None:
    first, second = nodes
    free, quiet = doctor(first), doctor(second)
    assert f"10.77.0.1:{PORT} is this node's, and free" in free
    assert f"GLOO_SOCKET_IFNAME={CABLE} torchrun --rdzv-conf is_host=1" in free
    assert "--local-addr=10.77.0.1" in free
    assert "nothing listens on its port yet" in quiet
    assert "--rdzv-conf is_host=0 --local-addr=10.77.0.2" in quiet


def test_the_doctor_names_a_busy_port_and_a_network_that_leads_nowhere(nodes: Nodes) -> None:
    first, second = nodes
    with busy_port(first):
        assert f"10.77.0.1:{PORT} answers, over {CABLE}" in doctor(second)
        busy = doctor(first)
    assert f"port {PORT} cannot be opened on host scout-node-1: Address already in use" in busy
    assert "choose another port everywhere" in busy
    second.cut()
    assert "10.77.0.1: [Errno 101] Network is unreachable" in doctor(second)


@pytest.mark.slow
def test_torchrun_names_a_busy_port(nodes: Nodes, tmp_path: Path) -> None:
    first, _ = nodes
    with busy_port(first):
        run = start(first, first, tmp_path)
        with ended_anyway(run):
            assert run.wait() == 1
            assert "EADDRINUSE" in run.output
            assert str(PORT) in run.output


@pytest.mark.slow
def test_a_master_port_that_is_in_use_is_named(nodes: Nodes, tmp_path: Path) -> None:
    """Ranks that a scheduler starts by itself get their port from the user."""
    first, _ = nodes
    place = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    with busy_port(first):
        done = subprocess.run(
            first.command(sys.executable, str(MAIN), "--train", "--log_name=demo",
                          f"--config_path={MAIN.parent / 'configs/demo_config.conf'}"),
            cwd=tmp_path,
            env=os.environ | place | {"MASTER_ADDR": first.address, "MASTER_PORT": str(PORT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"MASTER_PORT={PORT} is in use on host scout-node-1" in done.stderr
