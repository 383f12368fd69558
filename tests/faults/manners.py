"""Environments that treat the process they live in as their own."""

import argparse
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

MOMENT = "SCOUT_TEST_MOMENT"  # when ScoutLeaving-v0 leaves

argparse.ArgumentParser().parse_args()  # as a script does that was never meant to be imported


class Counting(gymnasium.Env[Any, Any]):
    """Ten steps, and a point for each."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as Gymnasium has it
    render_mode = "rgb_array"
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)
    length = 10

    def __init__(self, render_mode: str | None = None) -> None:
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._steps += 1
        return np.zeros(2, np.float32), 1.0, self._steps == self.length, False, {}

    def render(self) -> Any:
        return np.full((40, 60, 3), self._steps, np.uint8)


class Moving(Counting):
    """Goes to its own folder, takes the signals, prints by a thread that never ends."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        os.chdir(os.path.dirname(os.path.abspath(__file__)))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class Leaving(Counting):
    """Leaves the program, as one does who has no licence."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self._leave_at("init")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._leave_at("reset")
        return super().reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._leave_at("step")
        return super().step(action)

    def render(self) -> Any:
        self._leave_at("render")
        return super().render()

    def close(self) -> None:
        self._leave_at("close")

    def _leave_at(self, moment: str) -> None:
        if os.environ[MOMENT] == moment:
            sys.exit(0)


class Endless(Counting):
    """Never ends an episode."""

    length = -1


class Forgetful(Counting):
    """Starts a program that hears no SIGTERM, and never ends it."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        subprocess.Popen(["sh", "-c", "trap '' TERM; exec setsid sleep 1000"])


for name in ("Moving", "Leaving", "Endless", "Forgetful"):
    gymnasium.register(id=f"Scout{name}-v0", entry_point=f"{__name__}:{name}")
