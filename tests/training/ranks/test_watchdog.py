"""A process that makes no step is ended by its watchdog; one that was merely stopped is not."""

import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys, time
from training.ranks import watchdog as module
from training.ranks.watchdog import Watchdog

module.LAST_WORDS = 0.5

def last_words(seconds):
    print(f"silent for {seconds:.1f}", flush=True)
    time.sleep(float(sys.argv[2]))

with Watchdog(0.8, 3.0, last_words) as watchdog:
    print("begun", flush=True)
    match sys.argv[1]:
        case "goes on":
            for _ in range(15):
                watchdog.kick()
                time.sleep(0.1)
        case "hangs":
            watchdog.kick()
            time.sleep(100)
        case "starts slowly":
            time.sleep(1.8)
        case "is stopped":
            for _ in range(10):
                watchdog.kick()
                time.sleep(0.1)
time.sleep(1.2)
print("over")
"""


def start(how: str, seconds_of_words: float = 0.0) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, str(seconds_of_words)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_process_that_hangs_speaks_its_last_words_and_leaves_with_code_6() -> None:
    process = start("hangs")
    words, _ = process.communicate(timeout=60)
    assert words.startswith("silent for ")
    assert float(words.split()[2]) >= 0.8
    assert process.returncode == 6


def test_last_words_that_hang_themselves_are_not_waited_for() -> None:
    process = start("hangs", seconds_of_words=1000)
    process.communicate(timeout=60)
    assert process.returncode == 6


def test_a_process_that_goes_on_and_one_that_starts_slowly_are_let_be() -> None:
    processes = [start(how) for how in ("goes on", "starts slowly")]
    for process in processes:
        words, _ = process.communicate(timeout=60)
        assert (words, process.returncode) == ("over\n", 0)


def test_the_time_for_which_a_process_is_stopped_does_not_count() -> None:
    process = start("is stopped")
    time.sleep(0.3)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.0)
    process.send_signal(signal.SIGCONT)
    words, _ = process.communicate(timeout=60)
    assert (words, process.returncode) == ("over\n", 0)
