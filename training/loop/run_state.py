"""Everything a run is, gathered into one checkpoint and laid out again.

The learner, its optimiser and the merged statistics are the same on every rank; the rest belongs to
a rank: its random stream, the frames its next rollout starts from, its part of the bonus's state,
its visit counts, a snapshot of each of its environments, and with OverlapCollection the rollout
that was collected and not yet learned from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks, bytes_tensor
from training.checkpoints.freezing import freezes_now, restore_frozen
from training.checkpoints.storage import Payload, Saver
from training.loop.episodes import EpisodeLog
from training.loop.rollouts import Rollouts
from training.loop.run_file import RunFile, continue_optimizer
from training.loop.since_row import SinceRow
from training.loop.visits import VisitRecorder
from training.session import Clock
from workers.environment_pool import EnvironmentPool, TakeSnapshots


@dataclass(frozen=True)
class RankState:
    """What collecting a rollout changes on one rank, as it was between two updates."""

    generator: torch.Tensor
    rollouts: Payload
    environments: TakeSnapshots


class Restored(NamedTuple):
    """What could be laid out of a rank's own part.

    Attributes:
        in_their_episodes: all environments of all ranks go on where they were; if not, all of them
            must begin new episodes.
        every_rollout: none was dropped that had been collected and not learned from.
    """

    in_their_episodes: bool
    every_rollout: bool


class RunState:
    """Captures, saves and restores a run.

    Args:
        agent, rollouts, pool, visits, since_row, ranks: the parts that hold state.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run (configuration, spec, versions), as text.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        *,
        agent: PPOAgent,
        rollouts: Rollouts,
        pool: EnvironmentPool,
        visits: VisitRecorder,
        since_row: SinceRow,
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, Any],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._agent = agent
        self._rollouts = rollouts
        self._pool = pool
        self._visits = visits
        self._since_row = since_row
        self._file = RunFile(ranks, saver, facts, on_saved)
        self._facts = facts

    @property
    def kept(self) -> str:
        """What goes on with any number of ranks and environments, in words."""
        return "weights, optimiser and statistics"

    def capture(self) -> RankState:
        """Return what the next rollout will change; call between two updates."""
        return RankState(
            self._agent.generator.get_state(),
            self._rollouts.state(),
            self._pool.capture(),
        )

    def save(
        self, boundary: RankState, clock: Clock, episodes: EpisodeLog, *, is_last: bool
    ) -> None:
        """Write a checkpoint of the run as it was at `boundary` (a collective).

        Raises:
            StorageError: see RunFile.
        """
        self._file.save(
            self._shared_payload,
            lambda: self._rank_payload(boundary),
            clock,
            episodes,
            is_last=is_last,
        )

    def restore_shared(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out what all ranks share; the payload must fit (see checkpoints/compatibility)."""
        self._file.restore(payload, clock, episodes)
        if freezes_now(payload, self._facts):
            restore_frozen(self._agent.learner, payload["learner"])
            return
        self._agent.learner.load_state_dict(payload["learner"])
        continue_optimizer(self._agent.optimizer, payload["optimizer"])

    def restore_rank(self, payload: Payload) -> Restored:
        """Lay out this rank's own part (a collective)."""
        part = self._file.own_part(payload)
        self._agent.generator.set_state(part["generator"])
        intrinsic = self._agent.learner.intrinsic
        if intrinsic is not None:
            # Checkpoints from before there were other bonuses hold the filter's sums alone.
            old = {"filter_sums": part.get("filter_sums")}
            intrinsic.restore_rank_state(part.get("intrinsic", old))
        self._visits.restore(part["visits"])
        if "since_row" in part:  # not in checkpoints from before there was one
            self._since_row.restore(part["since_row"])
        snapshots = self._file.snapshots(part, self._pool)
        if snapshots is None:
            if intrinsic is not None:
                intrinsic.start_episodes()
            return Restored(in_their_episodes=False, every_rollout="ahead" not in part)
        every_rollout = self._rollouts.restore(part)
        if intrinsic is not None and not every_rollout:  # they lived on through what was left out
            intrinsic.start_episodes()
        self._pool.reset()
        self._pool.restore(snapshots)
        return Restored(in_their_episodes=True, every_rollout=every_rollout)

    def restore_visits(self, payload: Payload) -> None:
        """Lay out of all ranks' own parts the visits alone, on the first rank."""
        self._visits.restore_first(payload)

    def _shared_payload(self) -> Payload:
        return {
            "learner": self._agent.learner.state_dict(),
            "optimizer": self._agent.optimizer.state_dict(),
        }

    def _rank_payload(self, boundary: RankState) -> Payload:
        intrinsic = self._agent.learner.intrinsic
        return {
            "generator": boundary.generator,
            **_on_cpu(boundary.rollouts),
            "intrinsic": {}
            if intrinsic is None
            else {name: tensor.cpu() for name, tensor in intrinsic.rank_state().items()},
            "visits": self._visits.state(),
            "since_row": self._since_row.state(),
            "environments": [bytes_tensor(snapshot or b"") for snapshot in boundary.environments()],
        }


def _on_cpu(state: Payload) -> Payload:
    """Return a state with its tensors, also those in tables within it, on the CPU."""
    moved: Payload = {}
    for name, value in state.items():
        if isinstance(value, dict):
            moved[name] = _on_cpu(value)
        else:
            moved[name] = value.cpu() if isinstance(value, torch.Tensor) else value
    return moved
