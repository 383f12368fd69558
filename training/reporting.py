"""From an update to a row of figures and a line on the terminal."""

import psutil
import torch
from torch import Tensor

from agents.ranks import Ranks
from training.clock import Clock
from training.collapse_watch import CollapseWatch
from training.episodes import EpisodeLog
from training.metrics import MetricsRecorder
from training.progress import ProgressReporter
from training.stopwatch import Stopwatch
from workers.environment_pool import EnvironmentPool

# "act" is the part of "collect" that the policy takes.
PARTS = ("collect", "act", "learn", "sync", "save")


class Reporter:
    """Averages figures over ranks and passes them on; every rank must call it.

    Args:
        ranks: all agent processes.
        pool: this rank's environments.
        metrics: where rows go; silent on other ranks than 0.
        progress: the live line; silent on other ranks than 0.
        optimizer: for its current rates.
    """

    def __init__(
        self,
        ranks: Ranks,
        pool: EnvironmentPool,
        metrics: MetricsRecorder,
        progress: ProgressReporter,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._ranks = ranks
        self._pool = pool
        self._metrics = metrics
        self._progress = progress
        self._optimizer = optimizer
        self._collapse_watch = CollapseWatch()
        self._process = psutil.Process()
        self._steps_before: int | None = None

    def begin(self, env_steps: int) -> None:
        """Count steps from here: the env steps at the start of this process."""
        self._steps_before = env_steps

    def prepare(self, phase: str) -> None:
        """Show what is done before the first update, and how far it is."""
        self._progress.update(
            self._steps_before or 0,
            score=None,
            intrinsic=None,
            rooms=None,
            phase=phase,
        )

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
        local = {name: float(value) for name, value in losses.items()}
        local |= {f"time/fraction_{part}": seconds.get(part, 0.0) / elapsed for part in PARTS}
        local["system/rss"] = self._process.memory_info().rss / 1e6
        local["system/worker_restarts"] = float(self._pool.worker_restarts)
        names = sorted(local)
        rows = torch.stack(
            self._ranks.gather(torch.tensor([local[name] for name in names], dtype=torch.float64))
        )
        values = dict(zip(names, rows.mean(dim=0).tolist(), strict=True))
        values["system/worker_restarts"] *= self._ranks.world_size
        values |= _spread(names, rows)
        frames_per_step = self._pool.spec.frame_skip
        values |= episodes.metrics()
        values |= {
            "charts/SPS": steps / elapsed,
            "time/fps": steps * frames_per_step / elapsed,
            "charts/learning_rate": self._optimizer.param_groups[0]["lr"],
            "charts/updates": float(clock.updates),
        }
        self._metrics.write(clock.env_steps, clock.env_steps * frames_per_step, values)
        warning = self._collapse_watch.look(values)
        if warning is not None:
            self._progress.message(warning)
        self._progress.update(
            clock.env_steps,
            score=episodes.mean_score,
            intrinsic=values.get("intrinsic/mean"),
            rooms=episodes.num_rooms,
            phase="train",
        )


def _spread(names: list[str], rows: Tensor) -> dict[str, float]:
    """Return the smallest and largest time shares over ranks, [W, K] rows; none for one rank."""
    if len(rows) == 1:
        return {}
    values = {}
    for part in ("collect", "learn"):
        column = rows[:, names.index(f"time/fraction_{part}")]
        values[f"ranks/fraction_{part}_min"] = float(column.min())
        values[f"ranks/fraction_{part}_max"] = float(column.max())
    return values
