"""The loop over a dataset: a batch, a step, then the clocks: validate, log, save, stop."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from agents.ranks import Ranks
from training.loop.stopwatch import Stopwatch
from training.loop.trainer import Outcome
from training.offline.evidence import StepEvidence
from training.offline.loader import Loader
from training.offline.run_state import OfflineState, Progress
from training.offline.showing import Showing
from training.offline.spec import Schedule
from training.offline.steps import NonFiniteStepError, Steps
from training.offline.validation import LOSS, Validation
from training.session import Clock


class OfflineTrainer:
    """Runs the loop; every rank runs the same code, others than rank 0 with silent writers.

    Args:
        steps: what is trained.
        loader: of this rank's batches.
        generator: this rank's random stream.
        validation: looks at held-out samples.
        state: saves.
        showing: rows, the terminal, warnings.
        evidence: keeps what a step that went non-finite was made of.
        schedule: when what happens.
        progress: how far training is.
        clock: the session's, kept up for the last word.
        ranks: all processes.
        should_stop: whether this rank was asked to stop.
    """

    def __init__(
        self,
        *,
        steps: Steps,
        loader: Loader,
        generator: torch.Generator,
        validation: Validation,
        state: OfflineState,
        showing: Showing,
        evidence: StepEvidence,
        schedule: Schedule,
        progress: Progress,
        clock: Clock,
        ranks: Ranks,
        should_stop: Callable[[], bool],
    ) -> None:
        self._steps = steps
        self._loader = loader
        self._generator = generator
        self._validation = validation
        self._state = state
        self._showing = showing
        self._evidence = evidence
        self._schedule = schedule
        self._progress = progress
        self._clock = clock
        self._ranks = ranks
        self._should_stop = should_stop
        self._stopwatch = Stopwatch()

    def run(self) -> Outcome:
        """Train to the end of the schedule, until it gets no better, or until a stop is asked."""
        if not self._is_over():
            self._showing.begin(self._progress.steps)
        while not self._is_over():
            if self._ranks.any(flag=self._should_stop()):
                self._save(None, is_last=True)
                return Outcome.STOPPED
            losses = self._step()
            held_out, best_loss = self._validate()
            self._log(losses, held_out)
            is_best = best_loss is not None
            if is_best or self._is_over() or self._due(self._schedule.save_every):
                self._save(best_loss, is_last=self._is_over())
        if self._gets_no_better():
            self._showing.message(
                f"no better for {self._progress.since_best} validations: training ends after "
                f"{self._progress.steps:,} steps; the best is kept beside the last"
            )
        self._showing.conclude()
        return Outcome.DONE

    def _is_over(self) -> bool:
        return self._progress.steps >= self._schedule.train_steps or self._gets_no_better()

    def _gets_no_better(self) -> bool:
        return 0 < self._schedule.patience <= self._progress.since_best

    def _due(self, interval: int) -> bool:
        steps = self._progress.steps
        return steps % interval == 0 or steps >= self._schedule.train_steps

    def _step(self) -> dict[str, Tensor]:
        with self._stopwatch.measure("load"):
            samples = self._loader.next()
        after = self._progress.steps + 1
        with self._stopwatch.measure("learn"):
            try:
                losses = self._steps.take(
                    samples, self._generator, after / self._schedule.train_steps
                )
            except NonFiniteStepError as error:
                raise self._evidence.keep(error, after) from error
        self._progress.steps = self._clock.updates = after
        self._showing.tick("learning")
        return losses

    def _validate(self) -> tuple[dict[str, float], float | None]:
        """Return figures of held-out samples where they are due, and their loss if it is best."""
        if not (self._validation.is_possible and self._due(self._schedule.validate_every)):
            return {}, None
        self._showing.tick("validating")
        with self._stopwatch.measure("validate"):
            found = self._validation.look()
        if found[LOSS] < self._progress.best_loss:
            return found, found[LOSS]
        self._progress.since_best += 1
        return found, None

    def _log(self, losses: dict[str, Tensor], held_out: dict[str, float]) -> None:
        if not (held_out or self._due(self._schedule.log_every)):
            return
        self._showing.row(self._progress.steps, losses, held_out, self._stopwatch)
        if held_out and self._ranks.rank == 0:
            self._showing.draw(self._progress.steps, self._validation.pictures())

    def _save(self, best_loss: float | None, *, is_last: bool) -> None:
        """Save, as the best where its loss is given; it is the one to beat once it is kept."""
        self._showing.tick("saving")
        then, is_best = self._progress, best_loss is not None
        if best_loss is not None:
            then = replace(then, best_loss=best_loss, since_best=0)
        with self._stopwatch.measure("save"):
            saved = self._state.save(then, self._loader.position, is_best=is_best, is_last=is_last)
        if saved:
            self._progress = then
