"""Rollouts as the trainer takes them: collect one, learn from it, collect the next."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from agents.rollout import CarriedState, RolloutBuffer
from training.checkpoints.storage import Payload
from training.loop.collector import Collector, Policy
from workers.shared.protocol import EpisodeSummary

Learn = Callable[[RolloutBuffer], dict[str, Tensor]]
"""Learns from a rollout and returns the losses."""


class Rollouts(Protocol):
    """What the trainer asks for, in this order, once for each update."""

    @property
    def current(self) -> RolloutBuffer:
        """The rollout that is learned from next."""

    def collect(self) -> tuple[bool, list[EpisodeSummary]]:
        """See to it that `current` is full.

        Returns:
            False if a stop was asked for: nothing may be learned from it then. And the episodes
            that ended in it.
        """

    def learn(self, learn: Learn, *, more: bool) -> dict[str, Tensor]:
        """Learn from `current` and open the next one; return the losses.

        Args:
            learn: is given `current`.
            more: False for the run's last update: nothing that comes after it is needed.
        """

    def state(self) -> Payload:
        """Return what the next rollout starts from; call between two updates, use before `learn`.

        Under the names of CarriedState lies what belongs to the environments as they stand.
        """

    def restore(self, part: Payload) -> bool:
        """Lay out what `state` returned; False where a rollout that it holds had to be dropped."""


class RolloutsInTurn:
    """Collects with the newest policy, then learns.

    Args:
        collector: fills the one rollout there is.
        act: the agent's policy.
        should_stop: asked at every env step.
    """

    def __init__(self, collector: Collector, act: Policy, should_stop: Callable[[], bool]) -> None:
        self._collector = collector
        self._act = act
        self._should_stop = should_stop

    @property
    def current(self) -> RolloutBuffer:
        """The rollout."""
        return self._collector.rollout

    def collect(self) -> tuple[bool, list[EpisodeSummary]]:
        """Fill the rollout; a stop leaves it as it is by then."""
        return self._collector.collect(self._act, self._should_stop)

    def learn(self, learn: Learn, *, more: bool) -> dict[str, Tensor]:
        """Learn from the rollout, and go on from its end."""
        losses = learn(self.current)
        self.current.carry_over()
        return losses

    def state(self) -> Payload:
        """Return what the next rollout starts from."""
        return dict(self.current.carried_state().named())

    def restore(self, part: Payload) -> bool:
        """Go on from there; a rollout that was collected ahead is of no use here."""
        self.current.restore(CarriedState.from_named(part))
        return "ahead" not in part
