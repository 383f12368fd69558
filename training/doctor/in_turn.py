"""What make starts: commands one after the other, and how the last of them ended.

    python -m training.doctor.in_turn WORD COMMAND ... [';' COMMAND ...] ...

torchrun prints a page of its own after a rank's last words, and turns every exit code into 1. The
ranks leave their word in a file, so that it can be said again after that page, with its code.

A stop on request ends it well, without the commands that were to follow. After a failure the
sentence is left in the file WORD, for make to say as its last line; where WORD is empty, it is
printed, and the exit code is that of the command.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from configs.errors import STOPPED_EXIT_CODE
from configs.typed import FRONT
from training.folders.last_word import LAST_WORD, read_last_word
from training.folders.lost_runs import note_lost
from training.folders.run_folder import LOCK_FILE, LOGS
from workers.processes.lost_terminal import outlive_terminal

STEP_END = ";"
# A terminal sends these to every process of its group, so the command has them already.
FROM_A_TERMINAL = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
TORCHRUN_SIGNALS = "PET_SIGNALS_TO_HANDLE"  # torchrun's --signals-to-handle


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the commands; return 0 for a good end or a stop, and where make says what went wrong."""
    word_file, *words = sys.argv[1:] if arguments is None else arguments
    outlive_terminal()
    steps = [list(part) for end, part in groupby(words, STEP_END.__eq__) if not end]
    for step in steps:
        sys.stdout.write(f"{shlex.join(step)}\n")
        code, text = run(step)
        if code == STOPPED_EXIT_CODE:
            if is_torchrun(step):
                sys.stdout.write(f"{text}\n")
            return 0
        if code != 0 and not word_file:
            sys.stderr.write(f"{text}\n")
            return code
        if code != 0:
            Path(word_file).write_text(f"{text.splitlines()[0]} (exit code {code})")
            return 0
    return 0


def run(command: Sequence[str]) -> tuple[int, str]:
    """Run a command; return its exit code, torchrun's ranks' own one, and its last word."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "word.json"
        environment = os.environ | {FRONT: "make", LAST_WORD: str(file)} | signals_of_torchrun()
        code = _wait_for(command, environment)
        word = read_last_word(file)
    if code == 0:
        return 0, ""
    if word is not None and word["code"] != 0:
        return int(word["code"]), str(word["text"])
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    text = f"{shlex.join(command[:3])} ... {how} and left no word"
    for lock in sorted(Path(LOGS, "runs").glob(f"*/{LOCK_FILE}")):
        note_lost(LOGS, lock.parent.name, text, 128 - code if code < 0 else None)
    return (128 - code if code < 0 else code), text


def is_torchrun(command: Sequence[str]) -> bool:
    """Whether a command speaks after its ranks."""
    return any(Path(word).name in ("torchrun", "torch.distributed.run") for word in command)


def signals_of_torchrun() -> dict[str, str]:
    """Return what keeps torchrun from taking over a signal that is ignored here, as by nohup."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN or TORCHRUN_SIGNALS in os.environ:
        return {}
    return {TORCHRUN_SIGNALS: "SIGTERM,SIGINT,SIGQUIT"}


def _wait_for(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command to its end, whatever signals come; return its code as subprocess does."""
    process: subprocess.Popen[bytes] | None = None
    is_told = False

    def pass_on(*_: object) -> None:
        nonlocal is_told
        is_told = True
        if process is not None:
            process.send_signal(signal.SIGTERM)

    alone = signal.signal(signal.SIGTERM, pass_on)
    for number in FROM_A_TERMINAL:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    process = subprocess.Popen(command, env=environment)
    if is_told:  # before there was anything to pass it on to
        process.send_signal(signal.SIGTERM)
    code = process.wait()
    signal.signal(signal.SIGTERM, alone)  # between two commands it ends this process, and make
    return code


if __name__ == "__main__":
    sys.exit(main())
