"""Everything a run is, gathered into one checkpoint and laid out again.

The learner, its optimiser and the merged statistics are the same on every rank; the rest belongs to
a rank: its random stream, the frames its next rollout starts from, its reward filter's sums, its
visit counts and a snapshot of each of its environments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.ppo_agent import PPOAgent
from agents.ranks import Ranks, bytes_tensor
from agents.rollout import CarriedState, RolloutBuffer
from training.checkpoint import Payload, Saver, pack, unpack
from training.clock import Clock
from training.episodes import EpisodeLog
from training.visits import VisitRecorder
from workers.pool import WorkerPool


@dataclass(frozen=True)
class RankState:
    """What collecting a rollout changes on one rank, as it was between two updates."""

    generator: torch.Tensor
    carried: CarriedState
    environments: list[bytes | None]


class RunState:
    """Captures, saves and restores a run.

    Args:
        agent, rollout, pool, visits, ranks: the parts that hold state.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run (configuration, spec, versions), as text.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        *,
        agent: PPOAgent,
        rollout: RolloutBuffer,
        pool: WorkerPool,
        visits: VisitRecorder,
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, object],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._agent = agent
        self._rollout = rollout
        self._pool = pool
        self._visits = visits
        self._ranks = ranks
        self._saver = saver
        self._facts = facts
        self._on_saved = on_saved
        self._best_score = float("-inf")

    def capture(self) -> RankState:
        """Return what the next rollout will change; call between two updates."""
        return RankState(
            self._agent.generator.get_state(),
            self._rollout.carried_state(),
            self._pool.snapshot(),
        )

    def save(self, boundary: RankState, clock: Clock, episodes: EpisodeLog) -> None:
        """Write a checkpoint of the run as it was at `boundary` (a collective).

        Raises:
            StorageError: on rank 0, where the file cannot be written.

        """
        parts = self._ranks.gather_bytes(pack(self._rank_payload(boundary)))
        if self._ranks.rank != 0:
            return
        score = episodes.mean_score
        is_best = score is not None and score > self._best_score
        if is_best and score is not None:
            self._best_score = score
        payload: Payload = {
            "facts": self._facts,
            "updates": clock.updates,
            "env_steps": clock.env_steps,
            "best_score": self._best_score,
            "episodes": episodes.state(),
            "learner": self._agent.learner.state_dict(),
            "optimizer": self._agent.optimizer.state_dict(),
            "ranks": [bytes_tensor(part) for part in parts],
        }
        self._saver.save(payload, is_best=is_best)
        self._on_saved(self._saver.path)

    def restore_shared(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out what all ranks share; the payload must fit (see training.compatibility)."""
        clock.updates = payload["updates"]
        clock.env_steps = payload["env_steps"]
        self._best_score = payload["best_score"]
        episodes.restore(payload["episodes"])
        self._agent.learner.load_state_dict(payload["learner"])
        rates = [group["lr"] for group in self._agent.optimizer.param_groups]
        self._agent.optimizer.load_state_dict(payload["optimizer"])
        for group, rate in zip(self._agent.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # the configuration's, which a user may have changed

    def restore_rank(self, payload: Payload) -> list[int]:
        """Lay out this rank's own part.

        Returns:
            the environments that had no snapshot, and so begin a new episode.

        """
        data = payload["ranks"][self._ranks.rank].numpy().tobytes()
        part = unpack(data)
        self._agent.generator.set_state(part["generator"])
        if self._agent.learner.intrinsic is not None:
            self._agent.learner.intrinsic.reward_filter.sums.copy_(part["filter_sums"])
        self._visits.restore(part["visits"])
        snapshots = [bytes(snapshot.numpy()) for snapshot in part["environments"]]
        missing = [index for index, snapshot in enumerate(snapshots) if not snapshot]
        if missing:
            return missing
        self._rollout.restore(CarriedState(part["frames"], part["ages"]))
        self._pool.reset()
        self._pool.restore(snapshots)
        return []

    def _rank_payload(self, boundary: RankState) -> Payload:
        intrinsic = self._agent.learner.intrinsic
        empty = torch.zeros(0, dtype=torch.float64)
        return {
            "generator": boundary.generator,
            "frames": boundary.carried.frames.cpu(),
            "ages": boundary.carried.ages.cpu(),
            "filter_sums": empty if intrinsic is None else intrinsic.reward_filter.sums.cpu(),
            "visits": self._visits.state(),
            "environments": [bytes_tensor(snapshot or b"") for snapshot in boundary.environments],
        }
