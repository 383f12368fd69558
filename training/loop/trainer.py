"""The training loop: collect, learn, then the clocks."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.networks.recurrent_actor_critic import PolicyInput, num_rows
from agents.ppo.acting import Decision
from agents.ppo.gradient_steps import NonFiniteGradientError
from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from training.loop.collector import Collector, Policy
from training.loop.episodes import EpisodeLog
from training.loop.evidence import Evidence
from training.loop.pretraining import Pretraining
from training.loop.profiling import Profiler
from training.loop.reporting import Reporter
from training.loop.rollouts import Rollouts
from training.loop.run_state import RankState, RunState
from training.loop.scale_watch import say_if_far
from training.loop.since_row import SinceRow
from training.loop.stopwatch import Stopwatch
from training.loop.visits import VisitRecorder
from training.session import Clock


class Beginning(enum.Enum):
    """What a training run starts from."""

    FROM_NOTHING = "fresh environments, and a warm-up of the statistics"
    WITH_NEW_EPISODES = "a checkpoint's weights and statistics, fresh environments"
    WHERE_IT_WAS = "a checkpoint, in the middle of its episodes"


class Outcome(enum.Enum):
    """How a training run ended."""

    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Schedule:
    """When the run ends, and what happens how often.

    Attributes:
        total_env_steps: env steps of all ranks.
        max_updates: updates after which to stop anyway (profiling), or None.
        warmup_rollouts: rollouts of random actions before the first update.
        checkpoint_every, log_every: updates between two of each.
    """

    total_env_steps: int
    max_updates: int | None
    warmup_rollouts: int
    checkpoint_every: int
    log_every: int


class Trainer:
    """Runs the loop; every rank runs the same code, others than rank 0 with silent writers.

    `collector` plays at random before the first update; what it leaves is where `rollouts` begin.
    """

    def __init__(
        self,
        *,
        agent: PPOAgent,
        collector: Collector,
        rollouts: Rollouts,
        ranks: Ranks,
        episodes: EpisodeLog,
        visits: VisitRecorder,
        since_row: SinceRow,
        state: RunState,
        evidence: Evidence,
        reporter: Reporter,
        profiler: Profiler,
        schedule: Schedule,
        clock: Clock,
        stopwatch: Stopwatch,
        random_policy: Policy,
        pretraining: Pretraining | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._agent = agent
        self._collector = collector
        self._rollouts = rollouts
        self._ranks = ranks
        self._episodes = episodes
        self._visits = visits
        self._since_row = since_row
        self._state = state
        self._evidence = evidence
        self._reporter = reporter
        self._profiler = profiler
        self._schedule = schedule
        self._clock = clock
        self._stopwatch = stopwatch
        self._random_policy = random_policy
        self._pretraining = pretraining
        self._should_stop = should_stop
        self._first_update = clock.updates
        self._scale_is_known = ranks.rank != 0
        T, N = collector.rollout.rewards.shape
        self._steps_per_update = T * N * ranks.world_size

    def run(self, beginning: Beginning) -> Outcome:
        """Train to the end of the schedule, or until a stop is asked for."""
        if beginning is not Beginning.WHERE_IT_WAS:
            self._collector.start()
        if beginning is Beginning.FROM_NOTHING and not (self._pretrain() and self._warm_up()):
            return Outcome.STOPPED
        self._stopwatch.read()  # what was set up belongs to no row
        while not self._finished():
            boundary = self._state.capture()
            if self._due(self._schedule.checkpoint_every):
                self._save(boundary, is_last=False)
            if not self._update():
                self._save(boundary, is_last=True)
                return Outcome.STOPPED
        self._save(self._state.capture(), is_last=True)
        return Outcome.DONE

    def _finished(self, after: int = 0) -> bool:
        """Whether the run is at its end, now or `after` so many updates more."""
        limit, updates = self._schedule.max_updates, self._clock.updates + after
        if limit is not None and updates - self._first_update >= limit:
            return True
        env_steps = self._clock.env_steps + after * self._steps_per_update
        return env_steps >= self._schedule.total_env_steps

    def _due(self, interval: int) -> bool:
        return self._clock.updates > self._first_update and self._clock.updates % interval == 0

    def _warm_up(self) -> bool:
        """Seed the observation statistics with random actions; these env steps count apart."""
        total = self._schedule.warmup_rollouts if self._agent.needs_warm_up else 0
        steps = total * self._steps_per_update
        if total:
            self._reporter.prepare(f"warm-up 0/{total}", 0.0, steps)
        for index in range(total):
            if not self._play_at_random():
                return False
            self._agent.observe(self._collector.rollout)
            self._collector.rollout.carry_over()
            self._reporter.prepare(f"warm-up {index + 1}/{total}", (index + 1) / total, steps)
        return True

    def _pretrain(self) -> bool:
        """Train the backbone on random play, if asked for; these env steps count apart."""
        if self._pretraining is None:
            return True
        self._reporter.prepare("pretraining", 0.0)
        return self._pretraining.run(
            self._agent.learner, self._collector.rollout, self._play_at_random
        )

    def _play_at_random(self) -> bool:
        complete, _ = self._collector.collect(self._random_policy, self._should_stop)
        if self._ranks.any(flag=not complete):
            return False
        self._look_at_scale(self._collector.rollout)
        self._clock.random_steps += self._steps_per_update
        self._reporter.count_random(self._steps_per_update)
        return True

    def _look_at_scale(self, rollout: RolloutBuffer) -> None:
        """Say of the run's first rollout whether its states have a scale that fits the policy."""
        if not self._scale_is_known:
            say_if_far(self._agent.learner.policy, rollout)
            self._scale_is_known = True

    def _update(self) -> bool:
        """Take one rollout and learn from it; False if a stop was asked for meanwhile."""
        with self._stopwatch.measure("collect"):
            complete, finished = self._rollouts.collect()
        with self._stopwatch.measure("sync"):
            if self._ranks.any(flag=not complete):
                return False
            self._episodes.exchange(finished, self._ranks)
        rollout = self._rollouts.current
        self._look_at_scale(rollout)
        self._visits.add(rollout)
        done = self._clock.env_steps / self._schedule.total_env_steps
        self._agent.set_progress(min(done, 1.0))
        losses = self._rollouts.learn(self._learn, more=not self._finished(after=1))
        self._since_row.add(rollout, losses)
        self._clock.updates += 1
        self._clock.env_steps += self._steps_per_update
        self._log(losses)
        self._profiler.step()
        return True

    def _learn(self, rollout: RolloutBuffer) -> dict[str, Tensor]:
        with self._stopwatch.measure("learn"):
            try:
                return self._agent.learn(rollout, diagnose=self._logs(after=1))
            except NonFiniteGradientError as error:
                raise self._evidence.keep(error, self._clock) from error

    def _logs(self, after: int = 0) -> bool:
        """Whether a row is written of the last update, or of the one `after` so many more."""
        updates = self._clock.updates + after
        return updates % self._schedule.log_every == 0 or self._finished(after)

    def _log(self, losses: dict[str, Tensor]) -> None:
        if self._logs():
            figures = losses | self._since_row.read()
            self._reporter.report(self._clock, figures, self._episodes, self._stopwatch)

    def _save(self, boundary: RankState, *, is_last: bool) -> None:
        with self._stopwatch.measure("save"):
            self._state.save(boundary, self._clock, self._episodes, is_last=is_last)
            self._visits.save()


def uniform_policy(
    num_actions: int, action_bounds: tuple[Tensor, Tensor] | None, generator: torch.Generator
) -> Policy:
    """Return a policy that draws every action with equal probability, for the warm-up.

    Args:
        num_actions: A.
        action_bounds: (low [A], high [A]) of continuous actions, or None for A choices.
        generator: this rank's stream.

    """

    def decide(inputs: PolicyInput) -> Decision:
        n, device = num_rows(inputs), generator.device
        nothing = torch.zeros(n, device=device)
        if action_bounds is None:
            actions = torch.randint(num_actions, (n,), generator=generator, device=device)
        else:
            low, high = action_bounds
            draws = torch.rand(n, num_actions, generator=generator, device=device)
            actions = low + (high - low) * draws
        return Decision(actions, nothing, nothing, nothing)

    return decide
