"""CPU time and memory of a program and all that it started, seen from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import process_tree
from benchmarks.process_tree import ProcessTree, proportional_memory

BUSY = """
import time
block = b"x" * 20_000_000
while time.process_time() < 0.3:
    pass
print("done", flush=True)
input()
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
input()
child.communicate(b"\\n")
print("ended", flush=True)
input()
"""


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == word


def answer(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree, "SCAN_EVERY", 0.0)


def test_what_a_child_took_counts_and_is_not_forgotten_when_it_ends() -> None:
    with started(PARENT, BUSY) as process:
        tree = ProcessTree(process.pid)
        wait_for(process, "done")
        alive = tree.cpu_seconds()
        assert 0.3 <= alive < 2.0
        assert tree.peak_memory > 20
        answer(process)
        wait_for(process, "ended")
        assert tree.cpu_seconds() >= alive
    assert tree.cpu_seconds() >= alive


def test_a_tree_without_a_process_has_taken_nothing() -> None:
    with started("pass") as process:
        process.wait()
    tree = ProcessTree(process.pid)
    assert tree.cpu_seconds() == 0.0
    assert tree.peak_memory == 0.0
    assert proportional_memory(process.pid) == 0.0


def test_new_processes_are_looked_for_no_more_often_than_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_tree, "SCAN_EVERY", 60.0)
    tree = ProcessTree(os.getpid())
    before, own = tree.cpu_seconds(), time.process_time()
    with started(BUSY) as process:
        wait_for(process, "done")
        assert tree.cpu_seconds() - before < time.process_time() - own + 0.2
