"""What is shown of training on a dataset: rows of figures, the terminal's state, warnings."""

from collections.abc import Callable, Mapping
from typing import Self

import psutil
import torch
from torch import Tensor

from agents.encoders.objective import Pictures
from agents.ranks import Ranks
from training.figures.collapse_watch import CollapseWatch, Floor
from training.figures.metrics import Axes, MetricsRecorder
from training.live.progress import ProgressReporter
from training.live.status import Status
from training.live.subject import Chart, Headline, Subject
from training.loop.stopwatch import Stopwatch
from training.offline.pictures import sheet
from training.offline.validation import LOSS

AXES = Axes("step", "samples")
PARTS = ("load", "learn", "validate", "save")  # of the time
SPEED = "time/steps_per_second"
LOAD_LIMIT = 0.1  # share of the time from which on loading is said to hold training up
MEAN_PICTURE = 0.98  # of the error of one picture for all: a drawing that is no better
RATIOS = ("reconstruction/ratio_to_mean_picture", "reconstruction/object_ratio")

SUBJECT = Subject(
    unit="steps",
    short_unit="steps",
    headlines=(
        Headline("losses/total", "loss", "loss"),
        Headline(LOSS, "held-out loss", "held out"),
        Headline("representation/effective_rank", "directions filled", "directions"),
    ),
    charts=(
        Chart("losses/total", "loss", "green"),
        Chart(LOSS, "held-out loss", "cyan"),
        Chart("representation/effective_rank", "directions filled", "magenta"),
    ),
    losses={"losses/total": "total", LOSS: "held out", "losses/grad_norm": "gradient"},
    speed_of=lambda row: row.get(SPEED),
)
FLOORS = (
    Floor(
        "the encoder",
        "representation/effective_rank",
        "representation/feature_std",
        least_spread=0.02,
    ),
)
REMEDY = "lower EncoderLearningRate, raise EncoderBatchSize, or choose another Model"


class Showing:
    """Averages figures over ranks and passes them on; every rank must call it.

    Args:
        ranks: all processes.
        metrics: where rows go; silent on other ranks than 0.
        progress: the state on the terminal; silent on other ranks than 0.
        batch_size: samples in a step of all ranks.
        verdict: says at the end what the last figures of held-out samples mean; None = nothing.
    """

    def __init__(
        self,
        ranks: Ranks,
        metrics: MetricsRecorder,
        progress: ProgressReporter,
        batch_size: int,
        verdict: Callable[[Mapping[str, float]], str] | None = None,
    ) -> None:
        self._ranks = ranks
        self._metrics = metrics
        self._progress = progress
        self._batch_size = batch_size
        self._verdict = verdict
        self._collapse_watch = CollapseWatch(FLOORS, REMEDY)
        self._draws_nothing = False
        self._waits_for_data = False
        self._process = psutil.Process()
        self._steps_before = 0
        self._held_out: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.close()

    def begin(self, steps: int) -> None:
        """Count steps from here."""
        self._steps_before = steps
        self._progress.update(Status(steps, steps, phase="reading the first batch"))

    def conclude(self) -> None:
        """Say what the last figures of held-out samples mean, where there are any."""
        if self._verdict is not None and self._held_out:
            self.message(self._verdict(self._held_out))

    def message(self, text: str) -> None:
        """Print a line above the state."""
        self._progress.message(text)

    def tick(self, activity: str) -> None:
        """Say what is being done."""
        self._progress.tick(activity)

    def row(
        self,
        steps: int,
        losses: dict[str, Tensor],
        held_out: dict[str, float],
        stopwatch: Stopwatch,
    ) -> None:
        """Write one row (a collective); `held_out` is empty where nothing was validated."""
        elapsed, seconds = stopwatch.read()
        done, self._steps_before = steps - self._steps_before, steps
        values = self._averaged(losses, {part: seconds.get(part, 0.0) / elapsed for part in PARTS})
        values |= held_out
        values[SPEED] = done / elapsed
        values["time/samples_per_second"] = done * self._batch_size / elapsed
        with stopwatch.measure("save"):
            self._metrics.write(steps, steps * self._batch_size, values)
            self._warn(values, held_out)
            self._held_out = held_out or self._held_out
            self._progress.update(Status(steps, steps, values=self._held_out | values))

    def draw(self, steps: int, pictures: Pictures | None) -> None:
        """Show pictures beside the curves."""
        if pictures is not None and self._ranks.rank == 0:
            self._metrics.draw("reconstruction", sheet(pictures), steps)

    def _averaged(self, losses: dict[str, Tensor], shares: dict[str, float]) -> dict[str, float]:
        """Return the figures of this rank, averaged over all (a collective)."""
        local = {name: float(value) for name, value in losses.items()}
        local |= {f"time/fraction_{part}": share for part, share in shares.items()}
        local["system/rss"] = self._process.memory_info().rss / 1e6
        names = sorted(local)
        numbers = torch.tensor([local[name] for name in names], dtype=torch.float64)
        mean = self._ranks.sum(numbers) / self._ranks.world_size
        return dict(zip(names, mean.tolist(), strict=True))

    def _warn(self, values: dict[str, float], held_out: dict[str, float]) -> None:
        """Say in words what has gone wrong, once."""
        if held_out:
            warning = self._collapse_watch.look(held_out)
            if warning is not None:
                self.message(warning)
        ratio = share_of_mean_picture(held_out)
        if ratio is not None:
            if ratio >= MEAN_PICTURE and not self._draws_nothing:
                self.message(
                    f"the representation has collapsed: all drawings are one picture (their error "
                    f"is {ratio:.2f} of the mean picture's); train longer, or {REMEDY}"
                )
            self._draws_nothing = ratio >= MEAN_PICTURE
        waits = values["time/fraction_load"] > LOAD_LIMIT
        if waits and not self._waits_for_data:
            self.message(
                f"{values['time/fraction_load']:.0%} of the time is spent waiting for data: give "
                "the run more cores, or more memory where the dataset is not read into it once"
            )
        self._waits_for_data = self._waits_for_data or waits


def share_of_mean_picture(held_out: Mapping[str, float]) -> float | None:
    """Return what share of the mean picture's error drawings of held-out samples have; None: none.

    The whole frame's or that of where things move, whichever is lower: a model whose loss weighs
    what moves draws the rest worse than the mean picture, and has not collapsed.
    """
    return min((held_out[name] for name in RATIOS if name in held_out), default=None)
