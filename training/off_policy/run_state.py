"""Everything a run from a replay buffer is, gathered into one checkpoint and laid out again.

Networks and optimisers are the same on every rank. A rank's own part is its random streams, what
its policy remembers, its replay buffer, its visit counts, and a snapshot of each environment: all
of one moment, in one file that is replaced as a whole.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.ranks import Ranks, bytes_tensor
from agents.steps.adam import FusedAdam
from agents.td3.td3_agent import TD3Agent
from training.checkpoints.storage import Payload, Saver
from training.loop.episodes import EpisodeLog
from training.loop.run_file import RunFile, continue_optimizer
from training.loop.run_state import Restored
from training.loop.visits import VisitRecorder
from training.off_policy.experience import Experience
from training.session import Clock
from workers.environment_pool import EnvironmentPool

_LOG = logging.getLogger(__name__)


class OffPolicyState:
    """Saves and restores a run, between two updates.

    Args:
        agent, experience, pool, visits, ranks: the parts that hold state.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run (configuration, spec, versions), as text.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        *,
        agent: TD3Agent,
        experience: Experience,
        pool: EnvironmentPool,
        visits: VisitRecorder,
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, Any],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._agent = agent
        self._experience = experience
        self._pool = pool
        self._visits = visits
        self._file = RunFile(ranks, saver, facts, on_saved)
        self._kept_replay = True

    @property
    def kept(self) -> str:
        """What goes on with any number of ranks and environments, in words."""
        if not self._kept_replay:
            return "networks and optimisers"
        return "networks, optimisers and replay buffers (each rank takes one that there was)"

    def save(self, clock: Clock, episodes: EpisodeLog, *, is_last: bool) -> None:
        """Write a checkpoint of now (a collective).

        Raises:
            StorageError: see RunFile.
        """
        self._file.save(self._shared_payload, self._rank_payload, clock, episodes, is_last=is_last)

    def restore_shared(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out networks, optimisers and replay; the payload must fit (see compatibility).

        With another number of ranks each takes the experience of one that there was.
        """
        self._file.restore(payload, clock, episodes)
        self._agent.learner.load_state_dict(payload["learner"])
        self._agent.resume()
        for name, optimizer in self._optimizers.items():
            continue_optimizer(optimizer, payload["optimizer"][name])
        part = self._file.own_part(payload)
        self._kept_replay = self._experience.replay.restore(part["replay"])
        if not self._kept_replay:
            _LOG.warning(
                "not exact: the replay buffer begins empty, since it holds frames by environment "
                "and NumEnv or ReplaySize is another one; it is filled before anything is learnt"
            )

    def restore_rank(self, payload: Payload) -> Restored:
        """Lay out this rank's own part (a collective)."""
        part = self._file.own_part(payload)
        self._agent.acting.set_state(part["acting"])
        self._agent.sampling.set_state(part["sampling"])
        self._visits.restore(part["visits"])
        snapshots = self._file.snapshots(part, self._pool)
        if snapshots is None:
            return Restored(in_their_episodes=False, every_rollout=True)
        self._experience.restore(part["policy"])
        self._pool.restore(snapshots)
        return Restored(in_their_episodes=True, every_rollout=True)

    def restore_visits(self, payload: Payload) -> None:
        """Lay out of all ranks' own parts the visits alone, on the first rank."""
        self._visits.restore_first(payload)

    @property
    def _optimizers(self) -> dict[str, FusedAdam]:
        return {"critic": self._agent.critic_optimizer, "actor": self._agent.actor_optimizer}

    def _shared_payload(self) -> Payload:
        self._agent.settle()
        return {
            "learner": self._agent.learner.state_dict(),
            "optimizer": {name: each.state_dict() for name, each in self._optimizers.items()},
        }

    def _rank_payload(self) -> Payload:
        policy = {name: value.cpu() for name, value in self._experience.state().items()}
        return {
            "acting": self._agent.acting.get_state(),
            "sampling": self._agent.sampling.get_state(),
            "policy": policy,
            "replay": self._experience.replay.state(),
            "visits": self._visits.state(),
            "environments": [bytes_tensor(snapshot or b"") for snapshot in self._pool.snapshot()],
        }
