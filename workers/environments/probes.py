"""Environments that count and environments that fail: for tests of pool, rollout and trainer.

They are real environments; any process can build them by `functools.partial(Probe, ...)`.
"""

import itertools
import os
import signal
import time
from collections import deque
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workers.environments.base import Observation
from workers.environments.counting import CountingEnvironment

__all__ = [
    "BadEnvironment",
    "CountingEnvironment",
    "CrashingEnvironment",
    "DyingEnvironment",
    "FaultyEnvironment",
    "HangingEnvironment",
]

Moment = Literal["init", "reset", "step", "close"]


class FaultyEnvironment(CountingEnvironment):
    """A CountingEnvironment that does `fail` at one chosen moment, until then all is well.

    Args:
        when: the call in which it fails.
        at_step: with when = "step", the step (from 1, over all episodes) in which it fails.
        only_seed: fail only in the environment that was seeded with this; None = in every one.
            It is unknown in "init".
        marker: a file that is created by the first failure and prevents any further one, so that
            a restarted worker does well; None = fail again and again.
        counting: the arguments of CountingEnvironment.
    """

    def __init__(
        self,
        *,
        when: Moment = "step",
        at_step: int = 1,
        only_seed: int | None = None,
        marker: str | None = None,
        **counting: Any,
    ) -> None:
        super().__init__(**counting)
        self._when = when
        self._at_step = at_step
        self._only_seed = only_seed
        self._marker = None if marker is None else Path(marker)
        if when == "init":
            self._fail_once()

    def fail(self) -> None:
        """Do what the subclass is for."""
        raise NotImplementedError

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode, or fail."""
        outcome = super().reset(seed=seed, options=options)
        if self._when == "reset" and self._is_chosen():
            self._fail_once()
        return outcome

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Count one step, or fail."""
        outcome = super().step(action)
        if self._fails_now():
            self._fail_once()
        return outcome

    def close(self) -> None:
        """Close, or fail."""
        if self._when == "close" and self._is_chosen():
            self._fail_once()

    def _fails_now(self) -> bool:
        return self._when == "step" and self._total_steps == self._at_step and self._is_chosen()

    def _is_chosen(self) -> bool:
        return self._only_seed is None or self._seed == self._only_seed

    def _has_failed_before(self) -> bool:
        """Tell whether the marker was there; it is from now on."""
        if self._marker is None:
            return False
        try:
            self._marker.touch(exist_ok=False)
        except FileExistsError:
            return True
        return False

    def _fail_once(self) -> None:
        if not self._has_failed_before():
            self.fail()


class CrashingEnvironment(FaultyEnvironment):
    """Raises ValueError("the probe crashed") at the chosen moment."""

    def fail(self) -> None:
        """Raise."""
        raise ValueError("the probe crashed")


class DyingEnvironment(FaultyEnvironment):
    """Kills its own process by a signal (SIGKILL unless told) at the chosen moment."""

    def __init__(self, *, signal_number: int = signal.SIGKILL, **faults: Any) -> None:
        self._signal_number = signal_number
        super().__init__(**faults)

    def fail(self) -> None:
        """Die."""
        os.kill(os.getpid(), self._signal_number)


class HangingEnvironment(FaultyEnvironment):
    """Never comes back from the chosen moment, and ignores SIGTERM and SIGINT while it hangs.

    Args:
        how: "sleep" waits; "busy" computes in a C call that never lets go of the interpreter, so
            that no other thread of the process runs and no Python signal handler either.
        faults: the arguments of FaultyEnvironment.
    """

    def __init__(self, *, how: Literal["sleep", "busy"] = "sleep", **faults: Any) -> None:
        self._how = how
        super().__init__(**faults)

    def fail(self) -> None:
        """Hang."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._how == "busy":
            deque(itertools.repeat(None), maxlen=0)
        while True:
            time.sleep(3600)


Badness = Literal[
    "nan_reward",
    "infinite_reward",
    "nan_observation",
    "infinite_observation",
    "wrong_shape",
    "wrong_dtype",
]


class BadEnvironment(FaultyEnvironment):
    """Returns something that must not enter a batch, from `step` or `reset`.

    Args:
        what: which badness; the rewards go with when = "step" only, the numbers that are not
            finite with vector observations only.
        faults: the arguments of FaultyEnvironment.
    """

    def __init__(self, *, what: Badness, **faults: Any) -> None:
        self._what = what
        self._is_bad_now = False
        super().__init__(**faults)

    def fail(self) -> None:
        """Spoil what this call returns."""
        self._is_bad_now = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode, with a bad observation at the chosen moment."""
        observation, info = super().reset(seed=seed, options=options)
        return self._spoiled(observation), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Count one step, and return a bad reward or observation at the chosen moment."""
        observation, reward, terminated, truncated, info = super().step(action)
        if self._is_bad_now and self._what in ("nan_reward", "infinite_reward"):
            self._is_bad_now = False
            reward = float("nan") if self._what == "nan_reward" else float("inf")
        return self._spoiled(observation), reward, terminated, truncated, info

    def _spoiled(self, observation: Observation) -> Observation:
        if not self._is_bad_now:
            return observation
        self._is_bad_now = False
        match self._what:
            case "nan_observation":
                observation[0] = np.nan
            case "infinite_observation":
                observation[0] = np.inf
            case "wrong_shape":
                return observation[..., :-1]
            case "wrong_dtype":
                return observation.astype(np.float64)
        return observation
