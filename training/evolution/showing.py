"""What is shown of an evolution: rows of figures and the terminal's state."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from agents.ranks import Ranks
from training.figures.metrics import MetricsRecorder
from training.live.progress import ProgressReporter
from training.live.status import Status
from training.live.subject import Chart, Headline, Subject
from training.loop.episodes import EpisodeLog
from training.loop.stopwatch import Stopwatch
from training.session import Clock
from workers.environment_pool import EnvironmentPool

PARTS = ("play", "evaluate", "save")  # of the time
SECONDS = "time/generation"  # that the last one took
SUBJECT = Subject(
    unit="generations",
    short_unit="gen.",
    headlines=(
        Headline("evolution/mean", "mean return of the population", "mean"),
        Headline("evolution/best", "best", "best"),
        Headline("evolution/worst", "worst", "worst"),
        Headline("evaluation/mean", "return of the mean controller", "evaluated"),
        Headline("evolution/sigma", "sigma", "sigma"),
    ),
    charts=(
        Chart("evolution/mean", "mean return of the population", "green"),
        Chart("evaluation/mean", "return of the mean controller", "cyan"),
        Chart("evolution/best", "best return", "yellow"),
        Chart("evolution/sigma", "sigma", "magenta"),
    ),
    losses={},
    speed_of=lambda row: 1 / row[SECONDS] if row.get(SECONDS) else None,
)


@dataclass(frozen=True)
class Generation:
    """One generation.

    Attributes:
        fitness: [P], the mean return of each member.
        deviation: the strategy's sigma after it; rank 0 alone knows.
        num_bad: fitnesses that were no finite numbers.
        evaluation: returns of the mean after it, on seeds of their own; None where none was due.
    """

    fitness: NDArray[np.float64]
    deviation: float
    num_bad: int
    evaluation: NDArray[np.float64] | None


class Showing:
    """Passes figures on; every rank must call it.

    Args:
        ranks: all processes.
        pool: this rank's environments.
        metrics: where rows go; silent on other ranks than 0.
        progress: the state on the terminal; silent on other ranks than 0.
    """

    def __init__(
        self,
        ranks: Ranks,
        pool: EnvironmentPool,
        metrics: MetricsRecorder,
        progress: ProgressReporter,
    ) -> None:
        self._ranks = ranks
        self._pool = pool
        self._metrics = metrics
        self._progress = progress
        self._process = psutil.Process()
        self._doing = ""
        self._steps_before = 0
        self._evaluated: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.close()

    def begin(self, clock: Clock) -> None:
        """Count from here."""
        self._steps_before = clock.env_steps
        self._progress.update(Status(clock.updates, clock.updates, phase="first generation"))

    def say(self, doing: str) -> None:
        """Say what is being done."""
        self._doing = doing
        self._progress.tick(doing)

    def tick(self, done: int, total: int) -> None:
        """Say how many episodes of it this rank has done."""
        self._progress.tick(f"{self._doing}: {done} of {total} episodes")

    def row(
        self, clock: Clock, generation: Generation, episodes: EpisodeLog, stopwatch: Stopwatch
    ) -> None:
        """Write one row (a collective)."""
        elapsed, seconds = stopwatch.read()
        steps, self._steps_before = clock.env_steps - self._steps_before, clock.env_steps
        restarts = self._ranks.sum(torch.tensor(float(self._pool.worker_restarts)))
        frames_per_step = self._pool.spec.frame_skip
        values = (
            figures_of(generation)
            | episodes.metrics()
            | {
                "charts/updates": float(clock.updates),
                "charts/SPS": steps / elapsed,
                "time/fps": steps * frames_per_step / elapsed,
                SECONDS: elapsed,
                "system/rss": self._process.memory_info().rss / 1e6,
                "system/worker_restarts": float(restarts),
            }
        )
        values |= {f"time/fraction_{part}": seconds.get(part, 0.0) / elapsed for part in PARTS}
        if generation.num_bad:
            self._progress.message(
                f"generation {clock.updates}: {generation.num_bad} of {len(generation.fitness)} "
                "fitnesses are no finite numbers; they are ranked last"
            )
        self._metrics.write(clock.env_steps, clock.env_steps * frames_per_step, values)
        self._evaluated |= {k: v for k, v in values.items() if k.startswith("evaluation/")}
        shown = self._evaluated | values
        self._progress.update(Status(clock.updates, clock.updates, values=shown))


def figures_of(generation: Generation) -> dict[str, float]:
    """Return what hangs on the episodes alone; what is not finite counts for nothing in it."""
    finite = generation.fitness[np.isfinite(generation.fitness)]
    values = {
        "evolution/best": float(finite.max()),
        "evolution/mean": float(finite.mean()),
        "evolution/worst": float(finite.min()),
        "evolution/spread": float(finite.std()),
        "evolution/sigma": generation.deviation,
        "evolution/not_finite": float(generation.num_bad),
    }
    if generation.evaluation is not None:
        values["evaluation/mean"] = float(generation.evaluation.mean())
        values["evaluation/deviation"] = float(generation.evaluation.std())
    return values
