"""Probe environments for the pool: every value follows from the seed and the actions.

A fault names the environment by its first seed, so that the replacement, whose seed is a fresh one,
is well again.
"""

import ctypes
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import ConfigurationError
from workers.environments.base import Environment, EnvironmentSpec, Observation

BASE_SEED = 1000
NUM_ACTIONS = 5


@dataclass(frozen=True)
class Fault:
    """What happens to one environment: `kind` in `phase`, at the step or reset number `when`."""

    kind: str
    environment: int = 1
    phase: str = "step"
    when: int = 3


class GameProbe(Environment):
    """A random game of a few steps, of up to two lives, with a frame of random pixels."""

    environment_spec = EnvironmentSpec(
        env_id="GameProbe",
        observation_shape=(1, 5, 7),
        observation_dtype="uint8",
        discrete=True,
        num_actions=NUM_ACTIONS,
        can_snapshot=True,
    )

    def __init__(self, fault: Fault | None = None) -> None:
        self._fault = fault
        self._first_seed: int | None = None
        self._counts = {"step": 0, "reset": 0}
        self._left = 0
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        if self._first_seed is None:
            self._first_seed = seed
        self._left = int(self.np_random.integers(3, 12))
        self._steps = 0
        self._suffer("reset")
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        self._suffer("step")
        self._left -= 1
        self._steps += 1
        reward = float(self.np_random.normal()) + float(np.sum(action))
        has_ended = self._left == 0
        terminated = has_ended and bool(self.np_random.integers(2))
        info = {
            "game_over": bool(self.np_random.integers(2)),
            "rooms": (1, self._steps),
            "metrics": {"distance": float(self._steps)},
        }
        return self._observe(), reward, terminated, has_ended and not terminated, info

    def snapshot(self) -> bytes:
        state = {
            "generator": self.np_random.bit_generator.state,
            "left": self._left,
            "steps": self._steps,
        }
        return json.dumps(state).encode()

    def restore(self, snapshot: bytes) -> None:
        state = json.loads(snapshot)
        self.np_random.bit_generator.state = state["generator"]
        self._left, self._steps = state["left"], state["steps"]

    def _observe(self) -> Observation:
        spec = self.environment_spec
        return self.np_random.integers(0, 256, spec.observation_shape, np.uint8)

    def _suffer(self, phase: str) -> None:
        fault, count = self._fault, self._counts[phase]
        self._counts[phase] += 1
        if fault is None or (fault.phase, fault.when) != (phase, count):
            return
        if self._first_seed == BASE_SEED + fault.environment:
            strike(fault.kind)


def strike(kind: str) -> None:
    """Let a fault happen to this process."""
    match kind:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise ValueError("the joystick broke off")
        case "exit":
            os._exit(3)
        case "leave":
            sys.exit(0)
        case "interrupt":
            raise KeyboardInterrupt
        case "hang":
            time.sleep(1000)
        case "dawdle":
            time.sleep(1.2)
        case "hang in C":
            ctypes.PyDLL(None).sleep(1000)  # holds the interpreter's lock: no other thread runs


class VectorProbe(GameProbe):
    """The same game with a float32 vector for observation and two-dimensional actions."""

    environment_spec = EnvironmentSpec(
        env_id="VectorProbe",
        observation_shape=(3,),
        observation_dtype="float32",
        discrete=False,
        num_actions=2,
        action_low=(-1.0, -1.0),
        action_high=(1.0, 1.0),
    )

    def _observe(self) -> Observation:
        return self.np_random.normal(size=3).astype(np.float32)


class BadProbe(VectorProbe):
    """A vector probe whose environment 1 returns one bad value in its step number 3."""

    def __init__(self, field: str, value: Any) -> None:
        super().__init__()
        self._field, self._value = field, value

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        values = dict(
            observation=observation, reward=reward, terminated=terminated, truncated=truncated
        )
        if self._first_seed == BASE_SEED + 1 and self._counts["step"] == 3:
            values[self._field] = self._value
        return (*values.values(), info)


class ProcessProbe(GameProbe):
    """A game without an end that tells what its process is like."""

    environment_spec = EnvironmentSpec(
        env_id="ProcessProbe",
        observation_shape=(6,),
        observation_dtype="float32",
        discrete=True,
        num_actions=NUM_ACTIONS,
    )

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        return self._observe(), 1.0, False, False, {}

    def _observe(self) -> Observation:
        kept = [
            signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)
            for number in (signal.SIGINT, signal.SIGTERM)
        ]
        facts = [
            "torch" in sys.modules,
            not any(kept) and not signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            os.environ.get("CUDA_VISIBLE_DEVICES") == "",
            os.environ.get("OMP_NUM_THREADS") == "1",
            os.getpid() >> 12,
            os.getpid() & 4095,
        ]
        return np.array(facts, np.float32)


class CloseProbe(GameProbe):
    """A game that suffers its fault when it is closed."""

    def close(self) -> None:
        assert self._fault is not None
        strike(self._fault.kind)


class SlowlyRestored(GameProbe):
    """A game that takes its time to go on from a snapshot."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def restore(self, snapshot: bytes) -> None:
        time.sleep(self._seconds)
        super().restore(snapshot)


class StubbornProbe(GameProbe):
    """A game that gives snapshots and takes none."""

    def restore(self, snapshot: bytes) -> None:
        raise ValueError("this is not my save-game")


def refuse_configuration() -> Environment:
    raise ConfigurationError("EnvID: there is no such game")


def fail_to_build() -> Environment:
    raise ValueError("no cartridge in the slot")


def build_and(kind: str) -> Environment:
    """Suffer a fault while building."""
    strike(kind)
    return GameProbe()


def build_slowly(seconds: float) -> Environment:
    """Take some time for each."""
    time.sleep(seconds)
    return GameProbe()


built: list[None] = []  # one for each environment of this process


def build_and_hang_at_last(number: int) -> Environment:
    """Hang while building the `number`th environment of a process."""
    built.append(None)
    if len(built) == number:
        strike("hang")
    return GameProbe()


def build_in_processes(folder: str, limit: int) -> Environment:
    """Build a game that kills its process once, in the first `limit` processes; fail in others."""
    Path(folder, str(os.getpid())).touch()
    if len(os.listdir(folder)) > limit:
        raise ValueError("no cartridge in the slot")
    return GameProbe(Fault("kill"))


def build_different() -> Environment:
    """Build environments that differ from process to process."""
    name = f"GameProbe{os.getpid()}"
    game = GameProbe()
    game.environment_spec = replace(GameProbe.environment_spec, env_id=name)
    return game
