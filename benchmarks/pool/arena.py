"""The contenders of one table: started one after the other, then taking turns."""

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.pool.candidates import Candidate, candidates, chosen
from benchmarks.pool.contenders import SEED, Actions, Contender, cpu_of
from benchmarks.process_tree import proportional_memory
from configs.schema import EnvironmentSection
from workers.environments.make import make_environment

WARM_UP_ROWS = 50


@dataclass(frozen=True)
class Turn:
    """What one contender did in one of its turns."""

    steps_per_second: float
    cpu_microseconds: float  # per env step, over all processes


@dataclass(frozen=True)
class Outcome:
    """What came of all contenders for one game and number of environments.

    Attributes:
        turns: by name, as many of each.
        memory: MB per environment by name.
        left_out: the reason by name.
    """

    turns: dict[str, list[Turn]]
    memory: dict[str, float]
    left_out: dict[str, str]


class Arena:
    """Contenders for one game, started one after the other and warmed up.

    Args:
        section: the game.
        num_environments: N.
        num_processes: that step them, or threads.
        words: parts of the names of those that take part; empty for all.
    """

    def __init__(
        self,
        section: EnvironmentSection,
        num_environments: int,
        num_processes: int,
        words: Sequence[str],
    ) -> None:
        self._num_environments = num_environments
        self._generator = np.random.default_rng(SEED)
        self._num_actions = make_environment(section).environment_spec.num_actions
        self._running: dict[str, Contender] = {}
        self._memory: dict[str, float] = {}
        self._left_out: dict[str, str] = {}
        try:
            for candidate in chosen(candidates(section, num_environments, num_processes), words):
                reason = candidate.obstacle(section, num_environments) or self._start(candidate)
                if reason is not None:
                    self._left_out[candidate.name] = reason
        except BaseException:
            self.close()
            raise

    def _start(self, candidate: Candidate) -> str | None:
        """Start one and warm it up; return why it must be left out, or None."""
        before = own_memory()
        try:
            contender = candidate.build()
        except OSError as error:  # no more processes, files or memory
            return str(error)
        self._running[candidate.name] = contender
        contender.run(self._actions(WARM_UP_ROWS))
        own = max(0.0, own_memory() - before)
        of_others = sum(map(proportional_memory, contender.process_ids()))
        self._memory[candidate.name] = (own + of_others) / self._num_environments
        return None

    def measure(self, rows: int, repeats: int) -> Outcome:
        """Let all take `repeats` turns of so many env steps of every environment."""
        turns: dict[str, list[Turn]] = {name: [] for name in self._running}
        for _ in range(repeats):
            actions = self._actions(rows)
            gc.collect()
            for name, contender in self._running.items():
                turns[name].append(take_turn(contender, actions))
        return Outcome(turns, self._memory, self._left_out)

    def close(self) -> None:
        """End all."""
        for contender in self._running.values():
            contender.close()

    def _actions(self, rows: int) -> Actions:
        return self._generator.integers(0, self._num_actions, (rows, self._num_environments))


def own_memory() -> float:
    """MB of this process."""
    gc.collect()
    return proportional_memory(os.getpid())


def take_turn(contender: Contender, actions: Actions) -> Turn:
    """Let one contender run, and measure it together with this process."""
    others = contender.process_ids()
    cpu, wall = time.process_time() + cpu_of(others), time.perf_counter()
    contender.run(actions)
    wall = time.perf_counter() - wall
    cpu = time.process_time() + cpu_of(others) - cpu
    return Turn(actions.size / wall, cpu / actions.size * 1e6)
