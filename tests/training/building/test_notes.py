"""Notes on how a run was started."""

import os
import signal

from training.building.notes import crowded_cores, undone_nohup
from training.ranks.distributed import Place


def test_more_agent_processes_than_cores_are_told() -> None:
    cores = len(os.sched_getaffinity(0))
    (note,) = crowded_cores(Place(0, cores + 1, 0, cores + 1))
    assert note.startswith(f"{cores + 1} agent processes share {cores} core")
    assert f"--nproc_per_node={cores} " in note
    assert crowded_cores(Place(0, 8 * cores, 0, cores)) == []  # of other nodes


def test_a_nohup_that_torchrun_has_undone_is_told() -> None:
    (note,) = undone_nohup({"_": "/usr/bin/nohup"})
    assert "setsid" in note
    assert undone_nohup({"_": "/usr/bin/setsid"}) == []
    assert undone_nohup({}) == []


def test_a_nohup_that_holds_is_not() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert undone_nohup({"_": "/usr/bin/nohup"}) == []
    finally:
        signal.signal(signal.SIGHUP, before)
