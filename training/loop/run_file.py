"""A run's checkpoint: how far and how good it is, whatever its agent and ranks add to that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from agents.ranks import Ranks
from agents.steps.adam import Optimizer
from training.checkpoints.storage import Payload, Saver, pack, unpack
from training.loop.episodes import EpisodeLog
from training.loop.patient_saver import PatientSaver
from training.ranks.agreement import on_first_rank
from training.session import Clock
from workers.environment_pool import EnvironmentPool


class RunFile:
    """Saves a run, and lays out again what is the same for every agent.

    Args:
        ranks: all processes.
        saver: writes the file; used on rank 0 alone.
        facts: what a checkpoint tells of its run (configuration, spec, versions), as text.
        on_saved: called on rank 0 after each save, with the path.
    """

    def __init__(
        self,
        ranks: Ranks,
        saver: Saver,
        facts: dict[str, Any],
        on_saved: Callable[[Path], None],
    ) -> None:
        self._ranks = ranks
        self._saver = PatientSaver(saver, on_saved)
        self._facts = facts
        self._best_score = float("-inf")

    def save(
        self,
        shared: Callable[[], Payload],
        own: Callable[[], Payload],
        clock: Clock,
        episodes: EpisodeLog,
        *,
        is_last: bool,
    ) -> None:
        """Write a checkpoint (a collective).

        A disk that is full now may have room at the next save: training goes on after a failure.

        Args:
            shared: returns what is the same on every rank; asked on rank 0 alone.
            own: returns this rank's part, which is not kept.
            clock, episodes: how far the run is, and its episodes.
            is_last: whether there is no other save after this one.

        Raises:
            StorageError: on all ranks, at the third failure in a row or where `is_last`.
        """
        parts = self._ranks.bytes_on_first(pack(own()))
        on_first_rank(
            self._ranks, lambda: self._write(shared(), parts, clock, episodes, is_last=is_last)
        )

    def restore(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out how far the run is, its best score and its episodes.

        Where no best checkpoint lies beside, as under a new name, there is no score to beat.
        """
        clock.updates = payload["updates"]
        clock.env_steps = payload["env_steps"]
        if self._saver.has_best:
            self._best_score = payload["best_score"]
        episodes.restore(payload["episodes"])

    def own_part(self, payload: Payload) -> Payload:
        """Return this rank's part; of another number of ranks, that of one that there was."""
        parts = payload["ranks"]
        return unpack(parts[self._ranks.rank % len(parts)].numpy().tobytes())

    def snapshots(self, own: Payload, pool: EnvironmentPool) -> list[bytes] | None:
        """Return snapshots of this rank's environments (a collective).

        None: not every environment of every rank can go on from one.
        """
        snapshots = [bytes(snapshot.numpy()) for snapshot in own["environments"]]
        can_go_on = pool.spec.can_snapshot and all(snapshots)
        return None if self._ranks.any(flag=not can_go_on) else snapshots

    def _write(
        self,
        shared: Payload,
        parts: list[Tensor],
        clock: Clock,
        episodes: EpisodeLog,
        *,
        is_last: bool,
    ) -> None:
        score = episodes.full_mean_score
        is_best = score is not None and score > self._best_score
        best_score = score if score is not None and is_best else self._best_score
        payload: Payload = {
            "facts": self._facts,
            "updates": clock.updates,
            "env_steps": clock.env_steps,
            "best_score": best_score,
            "episodes": episodes.state(),
            **shared,
            "ranks": parts,
        }
        if self._saver.save(payload, is_best=is_best, is_last=is_last):
            self._best_score = best_score  # a score without its file would keep others from one


def continue_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Lay out what an optimiser remembers.

    Its settings stay the configuration's, which a user may have changed.
    """
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({**state, "param_groups": groups})
