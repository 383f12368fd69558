"""From an update to a row of figures and the state on the terminal."""

from typing import Self

import psutil
import torch
from torch import Tensor

from agents.ranks import Ranks
from agents.steps.adam import Optimizer
from training.figures.belief_watch import BeliefWatch
from training.figures.bottlenecks import Setup, TimeWatch
from training.figures.collapse_watch import CollapseWatch
from training.figures.jump_watch import JumpWatch
from training.figures.metrics import MetricsRecorder
from training.figures.novelty import NoveltyWatch
from training.figures.time_split import PARTS, TimeSplit
from training.live.progress import ProgressReporter
from training.live.status import RandomPlay, RankFigures, Status
from training.loop.episodes import EpisodeLog
from training.loop.stopwatch import Stopwatch
from training.session import Clock
from workers.environment_pool import EnvironmentPool


class Reporter:
    """Averages figures over ranks and passes them on; every rank must call it.

    A context manager: at a run's good end it says where the time went.

    Args:
        ranks: all agent processes.
        pool: this rank's environments.
        metrics: where rows go; silent on other ranks than 0.
        progress: the state on the terminal; silent on other ranks than 0.
        optimizer: for its current rates.
        setup: what a rank has, for hints on what holds the run up.
    """

    def __init__(
        self,
        ranks: Ranks,
        pool: EnvironmentPool,
        metrics: MetricsRecorder,
        progress: ProgressReporter,
        optimizer: Optimizer,
        setup: Setup,
    ) -> None:
        self._ranks = ranks
        self._pool = pool
        self._metrics = metrics
        self._progress = progress
        self._optimizer = optimizer
        self._watches = (CollapseWatch(), NoveltyWatch(), JumpWatch(), BeliefWatch())
        self._time_watch = TimeWatch(setup)
        self._process = psutil.Process()
        self._steps_before: int | None = None
        self._random_steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._progress.close()
        summary = self._time_watch.summary()
        if kind is None and summary is not None:
            self._progress.message(summary)

    def begin(self, env_steps: int) -> None:
        """Count steps from here: the env steps at the start of this process."""
        self._steps_before = env_steps

    def count_random(self, env_steps: int) -> None:
        """Count env steps of random play, of all ranks."""
        self._random_steps += env_steps

    def prepare(self, phase: str, share: float, total: int = 0) -> None:
        """Show what is done before the first update, and how far it is.

        Args:
            phase: in words.
            share: of the phase; 0 begins it.
            total: env steps of the phase, where they are known beforehand.
        """
        if share == 0:
            self._random_steps = 0
        done = self._random_steps
        play = RandomPlay(done, total or (round(done / share) if share else 0))
        self._progress.update(Status(self._steps_before or 0, phase=phase, random_play=play))

    def report(
        self,
        clock: Clock,
        losses: dict[str, Tensor],
        episodes: EpisodeLog,
        stopwatch: Stopwatch,
    ) -> None:
        """Write one row (a collective)."""
        elapsed, seconds = stopwatch.read()
        steps = clock.env_steps - (self._steps_before or 0)
        self._steps_before = clock.env_steps
        rows = self._gather(losses, elapsed, seconds)
        values = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        values["system/worker_restarts"] *= len(rows)
        values |= _spread(rows)
        frames_per_step = self._pool.spec.frame_skip
        values |= episodes.metrics()
        values |= {
            "charts/SPS": steps / elapsed,
            "time/fps": steps * frames_per_step / elapsed,
            "charts/learning_rate": self._optimizer.param_groups[0]["lr"],
            "charts/updates": float(clock.updates),
        }
        with stopwatch.measure("save"):
            self._metrics.write(clock.env_steps, clock.env_steps * frames_per_step, values)
            self._show(clock, elapsed, values, rows)

    def _gather(
        self, losses: dict[str, Tensor], elapsed: float, seconds: dict[str, float]
    ) -> list[dict[str, float]]:
        """Return each rank's own figures."""
        local = {name: float(value) for name, value in losses.items()}
        local |= {f"time/fraction_{part}": seconds.get(part, 0.0) / elapsed for part in PARTS}
        local["system/rss"] = self._process.memory_info().rss / 1e6
        if self._ranks.device.type == "cuda":
            local["system/gpu_memory"] = torch.cuda.memory_reserved(self._ranks.device) / 1e6
        local["system/worker_restarts"] = float(self._pool.worker_restarts)
        names = sorted(local)
        rows = self._ranks.gather(
            torch.tensor([local[name] for name in names], dtype=torch.float64)
        )
        return [dict(zip(names, row.tolist(), strict=True)) for row in rows]

    def _show(
        self, clock: Clock, elapsed: float, values: dict[str, float], rows: list[dict[str, float]]
    ) -> None:
        ranks = [
            RankFigures(
                split=TimeSplit.of(row),
                memory=row["system/rss"],
                gpu_memory=row.get("system/gpu_memory"),
                worker_restarts=int(row["system/worker_restarts"]),
            )
            for row in rows
        ]
        change = self._time_watch.add(elapsed, [rank.split for rank in ranks])
        for message in (*(watch.look(values) for watch in self._watches), change):
            if message is not None:
                self._progress.message(message)
        status = Status(
            clock.env_steps, clock.updates, "train", values, ranks, self._time_watch.hint
        )
        self._progress.update(status)


def _spread(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the smallest and largest time shares over ranks; none for one rank."""
    if len(rows) == 1:
        return {}
    values = {}
    for part in ("collect", "learn"):
        shares = [row[f"time/fraction_{part}"] for row in rows]
        values[f"ranks/fraction_{part}_min"] = min(shares)
        values[f"ranks/fraction_{part}_max"] = max(shares)
    return values
