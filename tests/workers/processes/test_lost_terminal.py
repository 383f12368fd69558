"""A process prints on where nobody reads any more."""

import os
import subprocess
import sys

import pytest

from tests.architecture.test_floors import ROOT

TALKER = """
import sys
from workers.processes.lost_terminal import outlive_terminal

outlive_terminal()
print("ready", flush=True)
sys.stdin.readline()
for stream in (sys.stdout, sys.stderr):
    for _ in range(3):
        print("is anybody there?", file=stream, flush=True)
sys.exit(42)
"""
TO_A_FULL_DISK = """
from workers.processes.lost_terminal import outlive_terminal

outlive_terminal()
print("a line that must not be lost in silence", flush=True)
"""


def test_a_pipe_whose_reader_has_ended_is_printed_to_in_vain() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TALKER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as talker:
        assert talker.stdin is not None
        assert talker.stdout is not None
        assert talker.stdout.readline() == "ready\n"
        talker.stdout.close()
        talker.stdin.write("go on\n")
        talker.stdin.flush()
        assert talker.wait(60) == 42


@pytest.mark.parametrize("flags", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_a_full_disk_is_still_an_error(flags: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, *flags, "-c", TO_A_FULL_DISK],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode != 0
    assert "No space left on device" in ended.stderr


def test_letters_and_colours_stay_what_they_are() -> None:
    script = TO_A_FULL_DISK.replace("a line", "café ━")
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True
    )
    assert ended.stdout.decode() == "café ━ that must not be lost in silence\n"


def test_letters_that_the_terminal_lacks_are_shown_by_their_numbers() -> None:
    script = TO_A_FULL_DISK.replace("a line", "café \\udcff")
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    shown = ended.stdout.decode("ascii")
    assert shown == "caf\\xe9 \\udcff that must not be lost in silence\n"
