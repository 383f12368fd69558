"""Row 22: a long run that loses worker after worker, and holds no more at its end than before."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.faults.figures import IS_FULL, Figures, count
from tests.records import checkpoint_path, last_row
from tests.runs import CARTPOLE, StartedRun, started, write_recipe
from training.checkpoints.storage import companions, load_payload

NAME = "demo"
WORKERS = 2
UPDATE = 16 * 4  # env steps
STEPS_PER_RESTART = 3 * UPDATE
MOST_AT_ONCE = 3  # files that a save has open, and the like, in the moment of a sample
MOST_GROWTH = 0.01 if IS_FULL else 0.1  # of memory, from the first fifth's end to the run's
MANY_SHORT_GAMES = CARTPOLE.replace("MaxStepPerEpisode = auto", "MaxStepPerEpisode = 16")

pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True)
class Sample:
    """What a run holds at one moment."""

    env_steps: float
    memory: int
    descriptors: int
    threads: int
    processes: int
    shared: int


def workers_of(rank: psutil.Process) -> list[psutil.Process]:
    """The workers themselves, below their keepers."""
    below = rank.children(recursive=True)
    return [each for each in below if "spawn_main" in " ".join(each.cmdline())]


def shared_memory(rank: psutil.Process) -> int:
    """Return the bytes of shared memory that the rank maps, with a name in /dev/shm or without."""
    maps = rank.memory_maps(grouped=False)
    return sum(each.size for each in maps if each.path.startswith(("/memfd:", "/dev/shm")))


def sample(rank: psutil.Process, env_steps: float) -> Sample:
    return Sample(
        env_steps,
        rank.memory_info().rss,
        rank.num_fds(),
        rank.num_threads(),
        len(rank.children(recursive=True)),
        shared_memory(rank),
    )


def growth(samples: list[Sample]) -> float:
    """Return how much of its mean the memory grows from the first sample to the last: a line."""
    steps = np.array([each.env_steps for each in samples])
    memory = np.array([each.memory for each in samples])
    slope, _ = np.polyfit(steps, memory, 1)
    return float(slope * (steps[-1] - steps[0]) / memory.mean())


def lose_workers(run: StartedRun, restarts: int, total: int) -> list[Sample]:
    """Kill a worker again and again, evenly over the run; return what it held after each."""
    draw, samples = random.Random("soak"), []
    rank = psutil.Process(run.process.pid)

    def reached(name: str, least: float) -> Callable[[], bool]:
        return lambda: last_row(run.folder, NAME).get(name, -1.0) >= least

    for number in range(restarts):
        run.wait_until(reached("env_steps", number * total // restarts))
        draw.choice(workers_of(rank)).kill()
        run.wait_until(reached("system/worker_restarts", number + 1))
        samples.append(sample(rank, last_row(run.folder, NAME)["env_steps"]))
    return samples


@pytest.mark.slow
def test_a_long_run_that_loses_many_workers_holds_no_more_at_its_end(
    figures: Figures, tmp_path: Path
) -> None:
    restarts = count(8, 500)
    lossy = restarts * STEPS_PER_RESTART
    total = max(count(0, 100_000), lossy + 20 * UPDATE)
    recipe = write_recipe(tmp_path, MANY_SHORT_GAMES, TotalEnvSteps=total, NumEnv=4, Epoch=4)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    flags = (f"--num_workers={WORKERS}", f"--set=MaxWorkerRestarts={restarts}")
    with started(tmp_path, *command, *flags) as run:
        samples = lose_workers(run, restarts, lossy)
        ended = run.wait()
        assert ended.code == 0, ended.output
        assert run.left_after(2.0) == []
        steady = samples[len(samples) // 5 :]
        assert growth(steady) < MOST_GROWTH, [each.memory for each in steady]
        for name in ("threads", "processes", "shared"):
            held = [getattr(each, name) for each in steady]
            assert len(set(held)) == 1, f"{name}: {held}"
        held = [each.descriptors for each in steady]
        part = max(1, len(held) // 3)
        assert min(held[:part]) == min(held[-part:]), held
        assert max(held) <= min(held) + MOST_AT_ONCE, held
    newest, previous, best = companions(checkpoint_path(tmp_path, NAME))
    assert {path.name for path in newest.parent.iterdir()} == {
        path.name for path in (newest, previous, best)
    }
    assert load_payload(newest)["env_steps"] >= total
    assert load_payload(previous)["updates"] < load_payload(newest)["updates"]
    assert load_payload(best)["best_score"] == load_payload(newest)["best_score"]
    grown = f"memory {growth(steady):+.2%}"
    figures.add(22, f"{total:,} env steps, {grown}; lost workers", restarts, restarts)
