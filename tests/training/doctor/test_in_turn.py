"""Commands in turn: what they ended with, and what is said last."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.architecture.test_floors import ROOT
from training.folders.last_word import LAST_WORD, TORCHRUN_FILE, leave_last_word, read_last_word
from training.folders.run_folder import RunFolder

IN_TURN = [sys.executable, "-m", "training.doctor.in_turn"]
ENDS = "import json, os, sys; from training.folders.last_word import leave_last_word;"


def ending(code: int, text: str) -> list[str]:
    """Return a command that ends with that last word, as main.py does."""
    return [sys.executable, "-c", f"{ENDS} leave_last_word({code}, {text!r}); sys.exit({code})"]


def like_torchrun(folder: Path, code: int, text: str) -> list[str]:
    """Return a command that turns a rank's code into 1, and speaks after it."""
    script = folder / "torchrun"
    script.write_text(
        f"{ENDS} leave_last_word({code}, {text!r}); print('a page of torchrun'); sys.exit(1)"
    )
    return [sys.executable, str(script)]


def start(folder: Path, word: str, *steps: list[str]) -> "subprocess.Popen[str]":
    separated = [word for step in steps for word in (*step, ";")][:-1]
    return subprocess.Popen(
        [*IN_TURN, word, *separated],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, word: str, *steps: list[str]) -> tuple[int, list[str]]:
    with start(folder, word, *steps) as process:
        output, _ = process.communicate(timeout=120)
    return process.returncode, output.splitlines()


def test_each_command_is_shown_and_a_good_end_leaves_no_word(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "word", ["echo", "one thing"], ["echo", "two"])
    assert (code, lines) == (0, ["echo 'one thing'", "one thing", "echo two", "two"])
    assert not (tmp_path / "word").exists()


def test_a_stop_ends_it_well_without_what_was_to_follow(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "word", like_torchrun(tmp_path, 75, "stopped"), ["echo", "two"])
    assert (code, lines[-2:]) == (0, ["a page of torchrun", "stopped"])
    assert not (tmp_path / "word").exists()


def test_a_failure_is_left_for_make_with_the_code_of_the_rank(tmp_path: Path) -> None:
    """Its first line alone: the whole is on the terminal."""
    text = "error: does not fit:\n  NumStep 4 8"
    code, lines = run(tmp_path, "word", like_torchrun(tmp_path, 3, text), ["echo", "two"])
    assert (code, lines[-1]) == (0, "a page of torchrun")
    assert (tmp_path / "word").read_text() == "error: does not fit: (exit code 3)"


def test_without_make_the_code_is_the_ranks_and_the_word_is_printed(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "", like_torchrun(tmp_path, 7, "error: full"), ["echo", "two"])
    assert (code, lines[-1]) == (7, "error: full")


def test_a_command_that_is_killed_is_told_and_so_is_the_run_that_it_was_at(tmp_path: Path) -> None:
    """It takes the run's lock, as rank 0 does, and is killed before it has saved."""
    script = (
        "import os, signal; from pathlib import Path;"
        "from training.folders.run_folder import RunFolder;"
        "run = RunFolder.open(Path('logs'), 'maze', mode='fresh');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    code, lines = run(tmp_path, "", [sys.executable, "-c", script])
    assert code == 128 + signal.SIGKILL
    assert "ended by SIGKILL" in lines[-1]
    status = RunFolder(tmp_path / "logs", "maze").read_status() or {}
    assert (status["code"], status["reason"]) == (code, lines[-1])


CAREFUL = """
import signal, sys, time

def stop(number, frame):
    print("saves", flush=True)
    time.sleep(0.5)
    sys.exit(75)

signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_signal_to_it_alone_reaches_the_command_and_is_waited_for(tmp_path: Path) -> None:
    with start(tmp_path, "word", [sys.executable, "-c", CAREFUL]) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            pass
        process.send_signal(signal.SIGINT)  # from a terminal, the command would have it as well
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "saves\n"
        assert process.wait(60) == 0


TERMINATED_AT_ONCE = """
import os, pathlib, signal, subprocess, sys, time
from training.doctor import in_turn

class Started(subprocess.Popen):
    "The signal comes as soon as the command is there, before anything is done about signals."

    def __init__(self, command, **options):
        super().__init__(command, **options)
        while not pathlib.Path("ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen = Started
sys.exit(in_turn.main(["word", *sys.argv[1:]]))
"""


def test_a_signal_between_the_start_of_the_command_and_its_handlers_is_not_lost(
    tmp_path: Path,
) -> None:
    careful = CAREFUL.replace("time.sleep(60)", "open('ready', 'w').close(); time.sleep(60)")
    command = [sys.executable, "-c", TERMINATED_AT_ONCE, sys.executable, "-c", careful]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-2:] == ["ready", "saves"]


def test_torchrun_is_kept_from_taking_over_an_ignored_hangup(tmp_path: Path) -> None:
    """nohup has it ignored; a program's own handler would undo that."""
    show = [sys.executable, "-c", "import os; print(os.environ.get('PET_SIGNALS_TO_HANDLE'))"]
    assert run(tmp_path, "", show)[1][-1] == "None"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(tmp_path, "", show)[1][-1] == "SIGTERM,SIGINT,SIGQUIT"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_word_of_a_lost_peer_does_not_hide_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "word.json"
    monkeypatch.setenv(LAST_WORD, str(file))
    leave_last_word(6, "rank 1 lost a peer")
    leave_last_word(4, "an environment broke")
    leave_last_word(6, "rank 2 lost a peer")
    assert read_last_word(file) == {"code": 4, "text": "an environment broke"}


def test_torchruns_page_is_told_what_a_rank_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "error.json"
    monkeypatch.setenv(TORCHRUN_FILE, str(page))
    leave_last_word(0, "done")
    assert not page.exists()
    leave_last_word(5, "error: not finite")
    assert json.loads(page.read_text())["message"]["message"] == "error: not finite"
