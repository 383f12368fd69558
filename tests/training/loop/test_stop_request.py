"""A stop on request: the first signal is a wish, those right after it belong to it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]

LOOP = """
import time
from training.loop.stop_request import StopRequest

stop = StopRequest()
stop.install()
print("ready", stop(), flush=True)
while not stop():
    time.sleep(0.001)
print("asked by", stop.signal_name, flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    time.sleep(0.01)
"""


@contextmanager
def looping(script: str = LOOP) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready False\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


BLOCKED = """
import ctypes
from training.loop.stop_request import StopRequest

stop = StopRequest()
stop.install()
mutex = ctypes.create_string_buffer(64)
lock = ctypes.CDLL(None).pthread_mutex_lock
lock(mutex)
print("ready", stop(), flush=True)
lock(mutex)
"""


OVER = """
import signal, time
from training.loop.stop_request import StopRequest

stop = StopRequest()
stop.install()
signal.raise_signal(signal.SIGTERM)
stop.ignore_signals()
time.sleep(1.2)
signal.raise_signal(signal.SIGTERM)
"""


SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_for_a_stop_and_a_later_one_ends_the_process(number: signal.Signals) -> None:
    with looping() as process:
        process.send_signal(number)
        assert read_line(process) == f"asked by {number.name}\n"
        time.sleep(0.2)
        assert process.poll() is None
        while process.poll() is None:  # repeats are ignored for a second, then one ends it
            process.send_signal(number)
            time.sleep(0.2)
        assert process.returncode == -number


def test_a_later_signal_ends_a_process_that_waits_in_c_too() -> None:
    with looping(BLOCKED) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(1.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT


def test_a_signal_that_was_ignored_at_the_start_stays_ignored() -> None:
    """So nohup protects a run from a closed terminal."""
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    with looping(ignoring + LOOP) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert read_line(process) == "asked by SIGTERM\n"


LAST_WORDS = """
stop.last_words = lambda name: print("ended by", name, flush=True)
"""


@pytest.mark.parametrize("script", [LOOP, BLOCKED], ids=["in Python", "in C"])
def test_a_later_signal_has_last_words(script: str) -> None:
    installed = "stop.install()\n"
    with looping(script.replace(installed, installed + LAST_WORDS)) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(1.3)
        process.send_signal(signal.SIGHUP)
        words = [read_line(process), read_line(process)]
        assert "ended by SIGHUP\n" in words
        assert process.wait(30) in (-signal.SIGHUP, 128 + signal.SIGHUP)


WAITING = """
import ctypes, os
from training.loop.stop_request import StopRequest

stop = StopRequest()
stop.install()
mutex = ctypes.create_string_buffer(64)
lock = ctypes.CDLL(None).pthread_mutex_lock
lock(mutex)

def leave(name):
    print("left by", name, flush=True)
    os._exit(9)

with stop.leaving_at_once(leave):
    print("ready", stop(), flush=True)
    lock(mutex)
"""


def test_a_first_signal_ends_a_process_that_waits_for_others_in_c() -> None:
    with looping(WAITING) as process:
        process.send_signal(signal.SIGINT)
        assert read_line(process) == "left by SIGINT\n"
        assert process.wait(30) == 9


def test_a_signal_from_before_the_wait_ends_it_too() -> None:
    early = WAITING.replace("with stop", "signal.raise_signal(signal.SIGTERM)\nwith stop")
    ended = subprocess.run(
        [sys.executable, "-c", "import signal\n" + early],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (9, "left by SIGTERM\n")


def test_two_threads_that_see_one_signal_leave_once() -> None:
    """The main thread and the one that reads the numbers: neither cuts the other's words short."""
    slow = WAITING.replace("os._exit(9)", "time.sleep(0.5); print('done', flush=True); os._exit(9)")
    early = slow.replace(
        "with stop", "signal.raise_signal(signal.SIGTERM)\nstop._leave = leave\nwith stop"
    )
    ended = subprocess.run(
        [sys.executable, "-c", "import signal, time\n" + early],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (9, "left by SIGTERM\ndone\n")


def test_what_it_opened_is_closed_again() -> None:
    script = (
        LOOP.partition('print("ready"')[0]
        + """
import os, threading
before = len(os.listdir("/proc/self/fd"))
stop.release()
assert len(os.listdir("/proc/self/fd")) == before - 2
assert threading.active_count() == 1
"""
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0


def test_signals_that_come_together_are_one_wish() -> None:
    with looping() as process:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            process.send_signal(number)
        assert read_line(process).startswith("asked by SIG")
        time.sleep(0.3)
        assert process.poll() is None


def test_a_run_that_is_over_takes_no_more_wishes() -> None:
    command = [sys.executable, "-c", OVER]
    assert subprocess.run(command, cwd=PROJECT, timeout=60, check=False).returncode == 0
