"""Row 11: a node that dies, a cable that is pulled, a node that comes back."""

import time
from pathlib import Path

import pytest

from tests.calm import assert_equal_runs, run_calmly
from tests.multinode.nodes import Node, NodeRun
from tests.multinode.starts import (
    COLLECTIVE_TIMEOUT,
    NAME,
    ended_anyway,
    errors,
    rows,
    start,
    torchrun_flags,
)
from tests.records import read_status
from tests.runs import CARTPOLE

LOST = 6
SECONDS_AFTER_A_DEATH = 5.0
SECONDS_AFTER_A_CUT = 30.0
SECONDS_TO_REJOIN = 120.0  # torchrun waits for 15 s until it believes that a node is dead

Nodes = tuple[Node, Node]

pytestmark = pytest.mark.timeout(600)


def going(run: NodeRun, more_rows: int = 3) -> NodeRun:
    """Wait until the run has trained for a few more updates."""
    wanted = rows(run) + more_rows
    run.wait_until(lambda: rows(run) >= wanted)
    return run


def assert_names_the_other(run: NodeRun, here: Node, other: Node) -> None:
    """Check that the rank's one message names both hosts, the other's address, the variable."""
    message, *repeated = errors(run)  # torchrun's page says it again
    assert {text.splitlines()[0] for text in repeated} <= {message.splitlines()[0]}
    assert here.name in message
    assert f"{other.name} ({other.address})" in message
    assert "GLOO_SOCKET_IFNAME" in message
    assert "--resume" in message


@pytest.mark.slow
def test_two_nodes_train_and_when_one_dies_the_other_names_it(nodes: Nodes, tmp_path: Path) -> None:
    """Without GLOO_SOCKET_IFNAME: the host names lead nowhere, so the way to the other is taken."""
    first, second = nodes
    runs = [start(node, first, tmp_path, environment={}) for node in nodes]
    with ended_anyway(*runs):
        going(runs[0])
        runs[1].kill()
        assert runs[0].wait(SECONDS_AFTER_A_DEATH) == 1
        assert_names_the_other(runs[0], first, second)
        assert runs[0].processes() == []
        assert read_status(runs[0].folder, NAME)["code"] == LOST


@pytest.mark.slow
def test_the_node_with_the_rendezvous_dies(nodes: Nodes, tmp_path: Path) -> None:
    first, second = nodes
    runs = [start(node, first, tmp_path) for node in nodes]
    with ended_anyway(*runs):
        going(runs[0])
        runs[0].kill()
        assert runs[1].wait(SECONDS_AFTER_A_DEATH) == 1
        assert_names_the_other(runs[1], second, first)
        assert runs[1].processes() == []


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 1], ids=["at the rendezvous", "at the other node"])
def test_a_pulled_cable_ends_the_ranks_of_both_nodes(nodes: Nodes, tmp_path: Path, at: int) -> None:
    """The torchrun that has lost its store cannot be ended by its ranks: it may stay."""
    first, second = nodes
    runs = [start(node, first, tmp_path) for node in nodes]
    with ended_anyway(*runs):
        going(runs[0])
        nodes[at].cut()
        end = time.monotonic() + COLLECTIVE_TIMEOUT + SECONDS_AFTER_A_CUT
        for run in runs:
            run.wait_for_ranks(end - time.monotonic())
        assert_names_the_other(runs[0], first, second)
        assert_names_the_other(runs[1], second, first)
        assert runs[0].wait(SECONDS_AFTER_A_DEATH) == 1
        assert read_status(runs[0].folder, NAME)["code"] == LOST


@pytest.mark.slow
def test_both_nodes_started_again_continue_as_if_none_had_died(
    nodes: Nodes, tmp_path: Path
) -> None:
    first, _ = nodes
    arguments = ("--set", "saveCkptEvery=1")
    (tmp_path / "calm").mkdir()
    calm = run_calmly(
        tmp_path / "calm", CARTPOLE.replace("Every = 4", "Every = 1"), ranks=2, env_steps=8192
    )
    runs = [start(node, first, tmp_path, *arguments, env_steps=8192) for node in nodes]
    with ended_anyway(*runs):
        going(runs[0], 10)
        runs[1].kill()
        assert runs[0].wait(SECONDS_AFTER_A_DEATH) == 1
    again = [start(n, first, tmp_path, *arguments, "--resume", env_steps=8192) for n in nodes]
    with ended_anyway(*again):
        assert [run.wait() for run in again] == [0, 0], again[0].output
    assert_equal_runs(calm, runs[0].folder)


@pytest.mark.slow
def test_a_node_started_again_joins_the_one_that_waits_for_it(nodes: Nodes, tmp_path: Path) -> None:
    first, second = nodes
    flags = {node: [*torchrun_flags(node, first), "--max-restarts=1"] for node in nodes}
    runs = [start(n, first, tmp_path, "--resume", torchrun=flags[n]) for n in nodes]
    with ended_anyway(*runs):
        going(runs[0], 10)
        runs[1].kill()
        before = rows(runs[0])
        again = start(second, first, tmp_path, "--resume", torchrun=flags[second])
        with ended_anyway(again):
            runs[0].wait_until(lambda: rows(runs[0]) > before + 3, SECONDS_TO_REJOIN)
            assert len(errors(runs[0])) == 1
            assert "continued at" in runs[0].output
            assert again.ranks() != []
