"""The loop from a replay buffer: act, remember, learn, then the clocks."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.ranks import Ranks
from agents.td3.td3_agent import Gathered, TD3Agent
from configs.errors import NonFiniteError
from training.loop.episodes import EpisodeLog
from training.loop.reporting import Reporter
from training.loop.stopwatch import Stopwatch
from training.loop.trainer import Beginning, Outcome
from training.loop.visits import VisitRecorder
from training.off_policy.experience import Experience
from training.off_policy.run_state import OffPolicyState
from training.session import Clock
from workers.shared.protocol import EpisodeSummary


@dataclass(frozen=True)
class OffPolicySchedule:
    """When the run ends, and what happens how often.

    Attributes:
        total_env_steps: of all ranks.
        random_steps: env steps of all ranks that are played at random, before anything is learnt.
        gradient_steps: for each env step of a rank.
        steps_per_update: env steps of each environment in an update.
        checkpoint_every, log_every: updates between two of each.
        max_updates: updates after which to stop anyway (profiling), or None.
    """

    total_env_steps: int
    random_steps: int
    gradient_steps: float
    steps_per_update: int
    checkpoint_every: int
    log_every: int
    max_updates: int | None


class OffPolicyTrainer:
    """Runs the loop; every rank runs the same code, others than rank 0 with silent writers.

    An update is some env steps with the gradient steps between them. What ranks must agree on, and
    all clocks, come at its end: a stop waits for that.
    """

    def __init__(
        self,
        *,
        agent: TD3Agent,
        experience: Experience,
        ranks: Ranks,
        num_envs: int,
        num_actions: int,
        episodes: EpisodeLog,
        visits: VisitRecorder,
        state: OffPolicyState,
        reporter: Reporter,
        schedule: OffPolicySchedule,
        clock: Clock,
        stopwatch: Stopwatch,
        should_stop: Callable[[], bool],
    ) -> None:
        self._agent = agent
        self._experience = experience
        self._ranks = ranks
        self._num_envs = num_envs
        self._num_actions = num_actions
        self._episodes = episodes
        self._visits = visits
        self._state = state
        self._reporter = reporter
        self._schedule = schedule
        self._clock = clock
        self._stopwatch = stopwatch
        self._should_stop = should_stop
        self._first_update = clock.updates
        self._rank_steps = clock.env_steps // ranks.world_size
        self._learns_from = self._rank_steps + self._lacking()

    def run(self, beginning: Beginning) -> Outcome:
        """Train to the end of the schedule, or until a stop is asked for."""
        if beginning is not Beginning.WHERE_IT_WAS:
            self._experience.start()
        self._stopwatch.read()  # what was set up belongs to no row
        while not self._finished():
            if self._due(self._schedule.checkpoint_every):
                self._save(is_last=False)
            if self._update():
                self._save(is_last=True)
                return Outcome.STOPPED
        self._save(is_last=True)
        return Outcome.DONE

    def _finished(self) -> bool:
        limit = self._schedule.max_updates
        if limit is not None and self._clock.updates - self._first_update >= limit:
            return True
        return self._clock.env_steps >= self._schedule.total_env_steps

    def _due(self, interval: int) -> bool:
        return self._clock.updates > self._first_update and self._clock.updates % interval == 0

    def _update(self) -> bool:
        """Play and learn; return whether a stop was asked for meanwhile, on any rank."""
        finished: list[EpisodeSummary] = []
        gathered: Gathered = {}
        stopping = False
        for _ in range(self._schedule.steps_per_update):
            stopping = self._should_stop() or stopping
            with self._stopwatch.measure("collect"):
                finished += self._play()
            with self._stopwatch.measure("learn"):
                for name, values in self._learn().items():
                    gathered.setdefault(name, []).extend(values)
        figures = {f"losses/{name}": torch.stack(each).mean() for name, each in gathered.items()}
        with self._stopwatch.measure("sync"):
            self._check_finite(figures)
            self._episodes.exchange(finished, self._ranks)
            stopping = self._ranks.any(flag=stopping)
        self._visits.add_states(self._experience.take_states().numpy())
        self._clock.updates += 1
        self._clock.env_steps = self._rank_steps * self._ranks.world_size
        if self._clock.updates % self._schedule.log_every == 0 or self._finished():
            self._reporter.report(self._clock, figures, self._episodes, self._stopwatch)
        return stopping

    def _lacking(self) -> int:
        """Return the env steps of a rank until all buffers hold enough to learn (a collective).

        One that begins empty in a continued run is filled first, by the policy then. What is lost
        with a worker is not remembered, so that buffers may differ, and ranks must learn together.
        """
        replay = self._experience.replay
        share = self._schedule.random_steps // self._ranks.world_size
        lacking = min(share, replay.capacity) - replay.num_added
        return max(0, *(int(each) for each in self._ranks.gather(torch.tensor(lacking))))

    @property
    def _plays_at_random(self) -> bool:
        return self._rank_steps * self._ranks.world_size < self._schedule.random_steps

    def _play(self) -> list[EpisodeSummary]:
        """Take a step in all environments; return the episodes that ended."""
        with self._stopwatch.measure("act"):
            if self._plays_at_random:
                actions = self._agent.act_at_random(self._num_envs, self._num_actions)
            else:
                actions = self._agent.act(self._experience.observation)
            actions = actions.cpu()  # a GPU has answered only when they are here
        self._rank_steps += self._num_envs
        return self._experience.step(actions)

    def _learn(self) -> Gathered:
        """Take the gradient steps that are due after a step of all environments."""
        if self._plays_at_random or self._rank_steps < self._learns_from:
            return {}
        ratio = self._schedule.gradient_steps
        before = int((self._rank_steps - self._num_envs) * ratio)
        due = int(self._rank_steps * ratio) - before
        return self._agent.learn(self._experience.replay, due) if due else {}

    def _check_finite(self, figures: dict[str, Tensor]) -> None:
        """End the run, the same on all ranks, where a loss is not finite; nothing is saved of it.

        Raises:
            NonFiniteError: says in which update.
        """
        bad = [name for name, value in figures.items() if not bool(value.isfinite())]
        if self._ranks.any(flag=bool(bad)):
            told = ", ".join(bad) if bad else "a loss of another rank"
            raise NonFiniteError(
                f"{told} is not finite in update {self._clock.updates + 1}; the checkpoint before "
                "it is whole: go on from there with a smaller ActorLearningRate and "
                "CriticLearningRate"
            )

    def _save(self, *, is_last: bool) -> None:
        with self._stopwatch.measure("save"):
            self._state.save(self._clock, self._episodes, is_last=is_last)
            self._visits.save()
