"""Probes whose simulators are programs, as many a game is; each notes what it has started."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.workers.pool_probes import Fault, GameProbe, strike
from workers.environments.base import Observation

IDS = "programs"  # a file of process ids
CODES = "codes"  # a file of return codes
WAIT = "exec sleep 1000"
PROGRAMS = {
    "obedient": WAIT,
    "deaf to SIGTERM": f"trap '' TERM INT; {WAIT}",
    "parent of another": "sleep 1000 & wait",
}


def note(folder: str, name: str, *numbers: int) -> None:
    with Path(folder, name).open("a") as file:
        file.writelines(f"{number}\n" for number in numbers)


def noted(folder: Path, name: str) -> list[int]:
    path = folder / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


class ProgramProbe(GameProbe):
    """A game that starts programs of every kind and ends none of them.

    One has left its session and its parent, and knows no variable of its starter.
    """

    def __init__(self, folder: str, fault: Fault | None = None) -> None:
        super().__init__(fault)
        started = [subprocess.Popen(["sh", "-c", script]) for script in PROGRAMS.values()]
        note(folder, IDS, *(program.pid for program in started))
        # The shell in between ends at once.
        daemon = f"setsid sh -c 'echo $$ >> {folder}/{IDS}; {WAIT}' &"
        subprocess.run(["sh", "-c", daemon], env={"PATH": os.environ["PATH"]}, check=True)
        while len(noted(Path(folder), IDS)) % 4:
            time.sleep(0.01)


class ToldProbe(GameProbe):
    """A game whose program is told by a signal to end when the game is closed, and waited for."""

    def __init__(self, folder: str, number: signal.Signals) -> None:
        super().__init__()
        self._folder, self._number = folder, number
        self._program = subprocess.Popen(["sleep", "1000"])

    def close(self) -> None:
        self._program.send_signal(self._number)
        note(self._folder, CODES, self._program.wait())


class ChildProbe(GameProbe):
    """A game that is computed in a process which multiprocessing has made."""

    def __init__(self, folder: str, method: str) -> None:
        super().__init__()
        context: Any = multiprocessing.get_context(method)
        self._folder, (self._ours, theirs) = folder, context.Pipe()
        self._child = context.Process(target=answer, args=(theirs,))
        self._child.start()
        note(folder, IDS, self._child.pid)

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        self._ours.send(int(np.sum(action)))
        observation, _, *rest = super().step(action)
        return observation, self._ours.recv(), *rest

    def close(self) -> None:
        self._child.terminate()
        self._child.join()
        note(self._folder, CODES, self._child.exitcode)


def answer(connection: Any) -> None:
    """Add 10 to every number that comes."""
    while True:
        connection.send(connection.recv() + 10)


class UnmannerlyProbe(GameProbe):
    """A game that takes the signals for itself."""

    def __init__(self) -> None:
        super().__init__()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: strike("exit"))
