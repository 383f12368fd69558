"""Collection beside learning, with a policy that is one update old.

    this thread: rollout k+1 is collected with θ_k
    the other:   θ_k becomes θ_(k+1) by rollout k, which θ_(k-1) collected

The two share nothing that either changes: each has a rollout, a policy and a random stream of its
own. So the result is that of collecting first and learning then, whatever the timing.
"""

import json
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import asdict

from torch import Tensor

from agents.ppo.acting import EarlierPolicy
from agents.ppo.side_by_side import SideStream, kept_casts
from agents.rollout import CarriedState, RolloutBuffer
from training.checkpoints.storage import Payload
from training.loop.collector import Collector
from training.loop.rollouts import Learn
from training.loop.stopwatch import Stopwatch
from workers.shared.protocol import EpisodeSummary


class OverlappingRollouts:
    """Learns in a thread of its own while the next rollout is collected here.

    The pool, signals and everything that ranks tell each other beside the learning stay in the
    thread that calls.

    Args:
        collectors: two on the same pool, each with a rollout; the first one's is used first.
        policy: acts while the learner trains.
        thread: where learning goes on; one worker.
        should_stop: asked at every env step. What is under way beside the learning is finished
            all the same: the weights have moved on, and a rollout must be there to go on from.
        stopwatch: told the time of collecting beside learning, as "collect".
    """

    def __init__(
        self,
        collectors: tuple[Collector, Collector],
        policy: EarlierPolicy,
        thread: Executor,
        should_stop: Callable[[], bool],
        stopwatch: Stopwatch,
    ) -> None:
        self._now, self._next = collectors
        self._policy = policy
        self._thread = thread
        self._should_stop = should_stop
        self._stopwatch = stopwatch
        self._device = self.current.device
        self._stream = SideStream(self._device)
        self._finished: list[EpisodeSummary] | None = None  # in `current`; None: it is not full

    @property
    def current(self) -> RolloutBuffer:
        """The rollout that is learned from next."""
        return self._now.rollout

    def collect(self) -> tuple[bool, list[EpisodeSummary]]:
        """Collect where nothing was collected ahead: at the start."""
        if self._finished is not None:
            return not self._should_stop(), self._finished
        self._policy.catch_up()
        complete, finished = self._now.collect(self._policy.act, self._should_stop)
        if complete:
            self._finished = finished
        return complete, finished

    def learn(self, learn: Learn, *, more: bool) -> dict[str, Tensor]:
        """Learn from the current rollout while the next one is collected.

        Raises:
            Exception: the first one of either side; the other side has come to its end.
        """
        rollout, finished = self.current, None
        if not more:
            losses = self._thread.submit(learn, rollout).result()
            rollout.carry_over()
        else:
            self._policy.catch_up()
            self._next.rollout.restore(rollout.end_state())
            with kept_casts(self._device):
                learning = self._thread.submit(learn, rollout)
                finished = self._collect_beside(learning)
                losses = learning.result()
            self._now, self._next = self._next, self._now
        self._finished = finished
        return losses

    def state(self) -> Payload:
        """Return what goes on from here: also the rollout that waits to be learned from."""
        is_ahead = self._finished is not None
        carried = self.current.end_state() if is_ahead else self.current.carried_state()
        state: Payload = {
            **carried.named(),
            "acting_generator": self._policy.generator.get_state(),
        }
        if self._finished is not None:
            episodes = json.dumps([asdict(episode) for episode in self._finished])
            state["ahead"] = {"episodes": episodes, **self.current.contents()}
        return state

    def restore(self, part: Payload) -> bool:
        """Lay that out; a rollout of another length is dropped."""
        if "acting_generator" in part:
            self._policy.generator.set_state(part["acting_generator"])
        ahead = part.get("ahead")
        if ahead is None or ahead["rewards"].shape != self.current.rewards.shape:
            self.current.restore(CarriedState.from_named(part))
            return ahead is None
        self.current.restore_contents(ahead)
        episodes = json.loads(ahead["episodes"])
        self._finished = [EpisodeSummary(**episode) for episode in episodes]
        return True

    def _collect_beside(self, learning: Future[dict[str, Tensor]]) -> list[EpisodeSummary]:
        """Fill the next rollout, unless learning fails; return the episodes that ended."""

        def give_up() -> bool:
            self._should_stop()  # it tells the watchdog that this rank goes on
            return has_failed(learning)

        try:
            with self._stopwatch.measure("collect"), self._stream.entered():
                _, finished = self._next.collect(self._policy.act, give_up)
        except BaseException:
            if has_failed(learning):  # before, and perhaps because of the same
                learning.result()
            wait((learning,))
            raise
        return finished


def has_failed(work: Future[dict[str, Tensor]]) -> bool:
    """Whether it has ended by an error."""
    return work.done() and work.exception() is not None
