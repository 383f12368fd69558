"""What becomes of environments whose worker was lost: which seeds, which rows, which commands.

What a loss means for a group of environments depends on what the group was doing:

- stepping: the rows are reported as truncated, with the last known observation as the final one and
  that of a fresh reset as the next; the game is reported as lost;
- idle: the same, at the next step;
- answered already: the answer stands; then as idle;
- being reset: it is reset again;
- giving a snapshot: there is none of these environments;
- being restored: the pool fails, since it could not go on from where it was told to; where an
  environment refused its snapshot, it is the checkpoint that is refused.
"""

from dataclasses import dataclass

import numpy as np

from workers.shared.protocol import (
    Done,
    EpisodeSummary,
    GroupCommand,
    Reset,
    Restore,
    Snapshot,
    Step,
    WorkerError,
)
from workers.shared.shared_arrays import SharedArrays
from workers.supervision.worker_process import WorkerProcess


@dataclass(frozen=True)
class Seeds:
    """The random streams of environments, the first of which has the global index `first_index`."""

    base_seed: int
    first_index: int

    def initial(self, rows: range) -> tuple[int, ...]:
        """Seeds of the very first reset: base seed + global index."""
        return tuple(self.base_seed + self.first_index + row for row in rows)

    def building(self, rows: tuple[range, ...], restart: int) -> tuple[int, ...]:
        """Seeds of all of a worker's environments while they are made; see the two others."""
        return tuple(
            seed
            for span in rows
            for seed in (self.fresh(span, restart) if restart else self.initial(span))
        )

    def fresh(self, rows: range, restart: int) -> tuple[int, ...]:
        """Seeds, below 2^31, for the worker's restart number `restart`, which is at least 1."""
        sequences = (
            np.random.SeedSequence((self.base_seed, self.first_index + row, restart))
            for row in rows
        )
        return tuple(int(sequence.generate_state(1)[0]) >> 1 for sequence in sequences)


def substitute(
    worker: WorkerProcess, command: GroupCommand, arrays: SharedArrays, seeds: Seeds
) -> Reset | None:
    """Return what a replaced worker does in place of `command`; None if it is answered here.

    Raises:
        WorkerError: the command cannot be replaced.
    """
    rows = worker.rows[command.group]
    match command:
        case Step(group, slot):
            worker.cut[group] = _cut(rows, 1 - slot, arrays)
            return Reset(group, slot, _seeds_instead(worker, rows, arrays, seeds))
        case Reset(group, slot):
            return Reset(group, slot, _seeds_instead(worker, rows, arrays, seeds))
        case Snapshot(group):
            worker.answers[group] = Done(group, [], [None] * len(rows))
            return None
        case Restore():
            raise WorkerError(f"{worker} was replaced before its environments could be restored")


def _seeds_instead(
    worker: WorkerProcess, rows: range, arrays: SharedArrays, seeds: Seeds
) -> tuple[int | None, ...]:
    return arrays.planned_seeds(rows, seeds.fresh(rows, worker.restarts))


def _cut(rows: range, last_slot: int, arrays: SharedArrays) -> list[EpisodeSummary]:
    """Write the rows of a step that never happened: truncated, where the last one left off."""
    here = slice(rows.start, rows.stop)
    arrays.final_observations[here] = arrays.observations[last_slot, here]
    arrays.final_states[here] = arrays.states[last_slot, here]
    arrays.final_labels[here] = arrays.labels[last_slot, here]
    arrays.rewards[here] = 0.0
    arrays.terminated[here] = False
    arrays.truncated[here] = True
    return [
        EpisodeSummary(row, float(arrays.scores[row]), int(arrays.lengths[row]), (), {}, lost=True)
        for row in rows
    ]
