"""Runs of main.py as processes of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kept_program import KeptProgram, run_kept
from configs.typed import FRONT
from training.folders.last_word import LAST_WORD

PROJECT = Path(__file__).resolve().parent.parent


def main_py(*arguments: str) -> None:
    """Run main.py to its end in the current folder; print its output only where it fails."""
    command = [sys.executable, str(PROJECT / "main.py"), *arguments]
    done = run_kept(command)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")


def start_main_py(arguments: Sequence[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start main.py in `folder` on one torch thread; all it prints is added to `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    # Its last words are not those of the benchmark that make runs.
    own = {name: value for name, value in os.environ.items() if name not in (FRONT, LAST_WORD)}
    with output.open("ab") as file:
        return KeptProgram(
            [sys.executable, str(PROJECT / "main.py"), *arguments],
            cwd=folder,
            env=own | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
