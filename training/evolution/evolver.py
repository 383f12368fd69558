"""The loop: ask for a population, let it play, tell how good it was; then the clocks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.controllers.cma_es import CMAES
from agents.ranks import Ranks
from training.checkpoints.storage import pack, unpack
from training.evolution.arena import Arena
from training.evolution.run_state import EvolutionState
from training.evolution.showing import Generation, Showing
from training.evolution.tracks import evaluation_seeds, training_seeds
from training.loop.episodes import EpisodeLog
from training.loop.stopwatch import Stopwatch
from training.loop.trainer import Outcome
from training.ranks.agreement import on_first_rank
from training.session import Clock

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """When the run ends, and what happens how often.

    Attributes:
        seed: the run's.
        generations, total_env_steps: whichever is reached first ends it.
        trials: episodes of a member.
        evaluate_every: generations between two evaluations of the mean; 0 = never.
        evaluation_trials: episodes of one.
        checkpoint_every: generations between two checkpoints.
    """

    seed: int
    generations: int
    total_env_steps: int
    trials: int
    evaluate_every: int
    evaluation_trials: int
    checkpoint_every: int


class Evolver:
    """Runs the loop; every rank runs the same code, and rank 0 alone has the strategy.

    A generation is played whole or not at all: where a stop is asked for, the one under way is
    dropped, and played again from the same draws on the same seeds when the run goes on.

    Args:
        strategy: CMA-ES, on rank 0.
        arena: where they play.
        state: saves.
        episodes: the last episodes of training.
        showing: rows and the terminal.
        schedule: when what happens.
        clock: the session's: generations are its updates.
        ranks: all processes.
    """

    def __init__(
        self,
        *,
        strategy: CMAES | None,
        arena: Arena,
        state: EvolutionState,
        episodes: EpisodeLog,
        showing: Showing,
        schedule: Schedule,
        clock: Clock,
        ranks: Ranks,
    ) -> None:
        self._strategy = strategy
        self._arena = arena
        self._state = state
        self._episodes = episodes
        self._showing = showing
        self._schedule = schedule
        self._clock = clock
        self._ranks = ranks
        self._stopwatch = Stopwatch()

    def run(self) -> Outcome:
        """Evolve to the end of the schedule, or until a stop is asked for."""
        self._showing.begin(self._clock)
        self._state.note(self._strategy)
        while not self._is_over():
            generation = self._play_generation()
            if generation is None:
                self._save(None, is_last=True)
                return Outcome.STOPPED
            self._state.note(self._strategy)
            self._showing.row(self._clock, generation, self._episodes, self._stopwatch)
            is_best = self._state.is_best(generation.evaluation)
            is_due = self._clock.updates % self._schedule.checkpoint_every == 0
            if is_best or is_due or self._is_over():
                self._save(generation.evaluation, is_last=self._is_over())
        return Outcome.DONE

    def _is_over(self) -> bool:
        schedule, clock = self._schedule, self._clock
        return clock.updates >= schedule.generations or clock.env_steps >= schedule.total_env_steps

    def _play_generation(self) -> Generation | None:
        """Play a generation and learn from it; None where a stop was asked for meanwhile."""
        schedule, number = self._schedule, self._clock.updates + 1
        population = self._from_first(lambda strategy: strategy.ask())
        with self._stopwatch.measure("play"):
            self._showing.say(f"generation {number:,}")
            seeds = training_seeds(schedule.seed, number, schedule.trials)
            played = self._arena.play(population, seeds)
        if played is None:
            return None
        fitness = played.scores.mean(axis=1)
        num_bad = self._tell(fitness)
        evaluation = None
        if schedule.evaluate_every and number % schedule.evaluate_every == 0:
            evaluation = self._evaluate()
            if evaluation is None:
                return None
        self._clock.updates = number
        self._clock.env_steps += int(played.lengths.sum())
        self._episodes.exchange(played.episodes if self._ranks.rank == 0 else (), self._ranks)
        deviation = 0.0 if self._strategy is None else self._strategy.deviation
        return Generation(fitness, deviation, num_bad, evaluation)

    def _evaluate(self) -> Values | None:
        """Let the mean of the population play; return its scores, None where a stop was asked."""
        self._showing.say("evaluating the mean")
        mean = self._from_first(lambda strategy: strategy.mean[np.newaxis])
        with self._stopwatch.measure("evaluate"):
            seeds = evaluation_seeds(self._schedule.seed, self._schedule.evaluation_trials)
            played = self._arena.play(mean, seeds)
        return None if played is None else played.scores[0]

    def _tell(self, fitness: Values) -> int:
        """Let the strategy learn on rank 0; return how many fitnesses were no numbers there."""
        strategy = self._strategy
        told = on_first_rank(self._ranks, lambda: 0 if strategy is None else strategy.tell(fitness))
        return told or 0

    def _from_first(self, ask: Callable[[CMAES], Values]) -> Values:
        """Return on all ranks what rank 0's strategy says, [P, N]."""
        said = b""
        if self._strategy is not None:
            said = pack({"values": torch.from_numpy(ask(self._strategy))})
        found: Values = unpack(self._ranks.broadcast_bytes(said))["values"].numpy()
        return found

    def _save(self, evaluation: Values | None, *, is_last: bool) -> None:
        self._showing.say("saving")
        with self._stopwatch.measure("save"):
            self._state.save(self._clock, self._episodes, scores=evaluation, is_last=is_last)
