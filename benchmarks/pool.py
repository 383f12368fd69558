"""How much of the emulators' speed the worker pool keeps, beside gymnasium's AsyncVectorEnv.

    python -m benchmarks.pool --env MontezumaRevengeNoFrameskip-v4 --num_envs 64

All contenders live in one run and take turns, so that a busy machine slows all of them. The floor
is the same number of processes stepping the same environments with no transport at all: no
actions come in, no observations go out.
"""

import argparse
import gc
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import print_header, spread
from configs.schema import EnvironmentSection
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.layout import split
from workers.pool import WorkerPool
from workers.worker_process import birth_conditions

SEED = 1
WARM_UP_STEPS = 50
PACKAGES = ("gymnasium", "ale-py", "numpy", "opencv-python", "opencv-python-headless")
Actions = NDArray[np.int64]  # [steps, N]


class Contender(Protocol):
    """One way of stepping N environments."""

    def run(self, actions: Actions) -> None:
        """Step all environments once per row of `actions`."""

    def process_ids(self) -> list[int]:
        """Return the processes that step them, without this one."""

    def close(self) -> None:
        """End them."""


class WithoutTransport:
    """Processes that step their environments by themselves: the most that there is to be had."""

    def __init__(
        self, make: Callable[[], Environment], num_environments: int, num_processes: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for rows in split(0, num_environments, num_processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_step_alone, args=(make, rows, theirs), daemon=True)
            with birth_conditions():
                process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, actions: Actions) -> None:
        """Let every process step its environments; they get their actions beforehand."""
        for pipe in self._pipes:
            pipe.send(actions)
        for pipe in self._pipes:
            pipe.recv()

    def process_ids(self) -> list[int]:
        """Return the processes."""
        return [process.pid or 0 for process in self._processes]

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.join()


def _step_alone(
    make: Callable[[], Environment], rows: range, pipe: "Connection[None, Actions]"
) -> None:
    environments = [make() for _ in rows]
    for row, environment in zip(rows, environments, strict=True):
        environment.reset(seed=SEED + row)
    while True:
        for actions in pipe.recv()[:, rows.start : rows.stop].tolist():
            for environment, action in zip(environments, actions, strict=True):
                _, _, terminated, truncated, _ = environment.step(action)
                if terminated or truncated:
                    environment.reset()
        pipe.send(None)


class Ours:
    """Scout's pool, with one group or with two of which one is always in flight."""

    def __init__(
        self,
        make: Callable[[], Environment],
        num_environments: int,
        num_processes: int,
        num_groups: int,
    ) -> None:
        before = set(multiprocessing.active_children())
        self._pool = WorkerPool(
            make,
            num_environments=num_environments,
            num_processes=num_processes,
            num_groups=num_groups,
            base_seed=SEED,
        )
        self._processes = set(multiprocessing.active_children()) - before
        self._pool.reset()

    def run(self, actions: Actions) -> None:
        """Send to each group as soon as it has answered."""
        groups = range(self._pool.num_groups)
        for group in groups:
            self._pool.send(group, actions[0, self._pool.group(group)])
        for row in actions[1:]:
            for group in groups:
                self._pool.recv(group)
                self._pool.send(group, row[self._pool.group(group)])
        for group in groups:
            self._pool.recv(group)

    def process_ids(self) -> list[int]:
        """Return the workers."""
        return [process.pid or 0 for process in self._processes]

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


class Gymnasium:
    """gymnasium's AsyncVectorEnv with its defaults: a process per environment, shared memory."""

    def __init__(self, make: Callable[[], gymnasium.Env[Any, Any]], num_environments: int) -> None:
        self._environments = gymnasium.vector.AsyncVectorEnv([make] * num_environments)
        self._environments.reset(seed=SEED)

    def run(self, actions: Actions) -> None:
        """Step."""
        for row in actions:
            self._environments.step(row)

    def process_ids(self) -> list[int]:
        """Return the environments' processes."""
        return [process.pid or 0 for process in self._environments.processes]

    def close(self) -> None:
        """Close them."""
        self._environments.close(terminate=True)


def make_gymnasium(section: EnvironmentSection, num_frames: int) -> gymnasium.Env[Any, Any]:
    """Build the environment as gymnasium's own wrappers do, with so many frames stacked."""
    if section.env_type != "atari":
        return gymnasium.make(section.env_id)
    import ale_py  # noqa: PLC0415 - only where it is needed

    gymnasium.register_envs(ale_py)
    game = gymnasium.make(
        section.env_id,
        frameskip=1,
        repeat_action_probability=section.sticky_probability,
        max_episode_steps=None,
    )
    frames = gymnasium.wrappers.AtariPreprocessing(
        game,
        noop_max=0,
        frame_skip=section.frame_skip,
        screen_size=(section.frame_width, section.frame_height),
    )
    cap = section.max_episode_steps
    capped = frames if cap == "auto" else gymnasium.wrappers.TimeLimit(frames, cap)
    return (
        capped if num_frames == 1 else gymnasium.wrappers.FrameStackObservation(capped, num_frames)
    )


@dataclass(frozen=True)
class Turn:
    """What one contender did in one of its turns."""

    steps_per_second: float
    cpu_microseconds: float  # per env step, over all processes


def take_turn(contender: Contender, actions: Actions) -> Turn:
    """Let one contender run, and measure it."""
    cpu, wall = cpu_seconds(contender), time.perf_counter()
    contender.run(actions)
    wall = time.perf_counter() - wall
    cpu = cpu_seconds(contender) - cpu
    return Turn(actions.size / wall, cpu / actions.size * 1e6)


def cpu_seconds(contender: Contender) -> float:
    """CPU time so far of this process and the contender's, to the nanosecond."""
    nanoseconds = sum(
        int(thread.read_text().split()[0])
        for pid in contender.process_ids()
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )
    return time.process_time() + nanoseconds / 1e9


def proportional_memory(contender: Contender) -> float:
    """MB of the contender's processes, shared pages divided among their users."""
    kilobytes = 0
    for pid in contender.process_ids():
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1000


def print_table(turns: dict[str, list[Turn]], memory: dict[str, float], num_envs: int) -> None:
    """One row per contender: medians with their range, ratios taken turn by turn."""
    floor = turns["no transport"]
    print("| | env steps/s | CPU us/step | speed / no transport | CPU / no transport | MB/env |")
    print("|---|---|---|---|---|---|")
    for name, own in turns.items():
        pairs = list(zip(own, floor, strict=True))
        cells = (
            spread([turn.steps_per_second for turn in own]),
            spread([turn.cpu_microseconds for turn in own]),
            spread([turn.steps_per_second / base.steps_per_second for turn, base in pairs], 3),
            spread([turn.cpu_microseconds / base.cpu_microseconds for turn, base in pairs], 3),
            f"{memory[name] / num_envs:.2f}",
        )
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="MontezumaRevengeNoFrameskip-v4")
    parser.add_argument("--env_type", default="atari", choices=["atari", "classic_control"])
    parser.add_argument("--num_envs", type=int, default=64)
    parser.add_argument("--num_processes", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=100, help="per environment and turn")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each contender")
    options = parser.parse_args()
    section = EnvironmentSection(env_type=options.env_type, env_id=options.env)
    make = partial(make_environment, section)
    sizes = (options.num_envs, options.num_processes)
    print_header(options, PACKAGES)
    contenders: dict[str, Contender] = {  # gymnasium forks, so it comes before our pipes are open
        f"gymnasium AsyncVectorEnv, {frames} frame{'s' * (frames > 1)}": Gymnasium(
            partial(make_gymnasium, section, frames), options.num_envs
        )
        for frames in ((1, section.stack_size) if section.env_type == "atari" else (1,))
    }
    contenders |= {
        "no transport": WithoutTransport(make, *sizes),
        "pool, 1 group": Ours(make, *sizes, num_groups=1),
        "pool, 2 groups": Ours(make, *sizes, num_groups=2),
    }
    generator = np.random.default_rng(SEED)
    num_actions = make().environment_spec.num_actions
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    try:
        for repeat in range(-1, options.repeats):
            steps = WARM_UP_STEPS if repeat < 0 else options.steps
            actions = generator.integers(0, num_actions, (steps, options.num_envs))
            gc.collect()
            for name, contender in contenders.items():
                turn = take_turn(contender, actions)
                if repeat >= 0:
                    turns[name].append(turn)
        memory = {name: proportional_memory(contender) for name, contender in contenders.items()}
    finally:
        for contender in contenders.values():
            contender.close()
    print_table(turns, memory, options.num_envs)


if __name__ == "__main__":
    main()
