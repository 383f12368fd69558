"""Samplers: which frames and windows come next. They make ids; the dataset makes data of them.

All randomness is a function of seed, epoch and place, so a position is two numbers and going on
from it is exact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from configs.errors import ConfigurationError
from trajectories.reader import Dataset, Ids
from trajectories.shard import ROWS_PER_GROUP

POOL_UNITS = 64  # row groups or episodes whose frames are mixed with each other
_ORDER, _POOL, _OFFSETS = range(3)  # what a random stream is for


@dataclass(frozen=True)
class Position:
    """Where a sampler is: so many batches of an epoch were taken."""

    epoch: int = 0
    batch: int = 0

    def as_json(self) -> dict[str, int]:
        """Return it as a checkpoint keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, int]) -> "Position":
        """Return what `as_json` gave."""
        return cls(int(content["epoch"]), int(content["batch"]))


@dataclass(frozen=True)
class Share:
    """Which part of an epoch is ours: one of `count` that have nothing in common."""

    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, rank: int, num_ranks: int, worker: int = 0, num_workers: int = 1) -> "Share":
        """Return the share of a loader's worker on a rank."""
        return cls(rank * num_workers + worker, num_ranks * num_workers)


WHOLE = Share()


class FrameSampler:
    """Single frames. Row groups are shuffled over all shards, then their frames within a pool.

    Each epoch visits every row group once; what does not fill a batch on every share is left out,
    other frames in each epoch. With `per_episode`, each visit of an episode gives so many of its
    frames, drawn without replacement.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int,
        share: Share = WHOLE,
        per_episode: int | None = None,
        pool_units: int = POOL_UNITS,
    ) -> None:
        """Lay out the units.

        Args:
            dataset: whose frames.
            batch_size: frames of a batch.
            seed: of all shuffling; the same on all shares.
            share: which of them are ours.
            per_episode: frames of each visit to an episode; None = all frames, by row groups.
            pool_units: row groups, or visits, that are mixed with each other.

        Raises:
            ConfigurationError: there are too few frames for a batch on every share.
        """
        self.batch_size, self._seed, self._share = batch_size, seed, share
        self._pool_units, self._per_episode = pool_units, per_episode
        rows = dataset.lengths + 1
        self._rows = rows
        if per_episode is None:
            groups = -(-rows // ROWS_PER_GROUP)
            episode = np.repeat(np.arange(len(rows)), groups)
            within = np.arange(len(episode)) - np.repeat(np.cumsum(groups) - groups, groups)
            first = within * ROWS_PER_GROUP
            count = np.minimum(ROWS_PER_GROUP, rows[episode] - first)
        else:
            episode, first = np.arange(len(rows)), np.zeros_like(rows)
            count = np.minimum(per_episode, rows)
        self._units = np.stack([episode, first, count], axis=1)  # [units, 3]
        _check_batches(self.num_batches(0), int(count.sum()), batch_size, share, "frames")

    def num_batches(self, epoch: int) -> int:
        """Return how many batches an epoch has, on every share."""
        order, count = self._order(epoch), self._share.count
        totals = [int(self._units[order[index::count], 2].sum()) for index in range(count)]
        return min(totals) // self.batch_size

    def pools(self, position: Position) -> Iterator[Ids]:
        """Yield [n, 2] ids (episode, row) from `position` to the end of its epoch.

        Each time those of one pool, in the order in which batches are cut from them: one after the
        other, whatever pool they come from.
        """
        epoch = position.epoch
        first, stop = (n * self.batch_size for n in (position.batch, self.num_batches(epoch)))
        units = self._units[self._order(epoch)[self._share.index :: self._share.count]]
        begin = 0
        for number in range(-(-len(units) // self._pool_units)):
            pool = units[number * self._pool_units : (number + 1) * self._pool_units]
            end = begin + int(pool[:, 2].sum())
            if max(begin, first) < min(end, stop):
                ids = self._shuffled(pool, epoch, number)
                yield ids[max(0, first - begin) : stop - begin]
            begin = end

    def _order(self, epoch: int) -> Ids:
        return _stream(self._seed, epoch, _ORDER).permutation(len(self._units))

    def _shuffled(self, pool: Ids, epoch: int, number: int) -> Ids:
        stream = _stream(self._seed, epoch, _POOL, self._share.index, number)
        ids = []
        for episode, first, count in pool.tolist():
            if self._per_episode is None:
                rows = np.arange(first, first + count)
            else:
                rows = stream.choice(int(self._rows[episode]), count, replace=False)
            ids.append(np.stack([np.full(count, episode), rows], axis=1))
        return stream.permutation(np.concatenate(ids))


class WindowSampler:
    """Windows of T steps, all of an epoch shuffled.

    An episode of n steps is cut into ⌈n / T⌉ windows that touch each other, at other places in
    every epoch: so each step is taken once, the first and the last one too. The dataset fills up
    what is shorter than T: the first window, the last one, or an episode of fewer steps.
    """

    def __init__(
        self, dataset: Dataset, *, steps: int, batch_size: int, seed: int, share: Share = WHOLE
    ) -> None:
        """Count the windows.

        Args:
            dataset: whose windows.
            steps: T.
            batch_size: windows of a batch.
            seed: of all shuffling; the same on all shares.
            share: which of them are ours.

        Raises:
            ConfigurationError: there are too few windows for a batch on every share.
        """
        self.steps, self.batch_size, self._seed, self._share = steps, batch_size, seed, share
        self._lengths = dataset.lengths
        self._counts = -(-self._lengths // steps)
        total = int(self._counts.sum())
        _check_batches(self.num_batches(0), total, batch_size, share, f"windows of {steps} steps")

    def num_batches(self, epoch: int) -> int:
        """Return how many batches an epoch has, on every share."""
        del epoch  # all have as many
        return int(self._counts.sum()) // self._share.count // self.batch_size

    def batches(self, position: Position) -> Iterator[Ids]:
        """Yield [batch, 3] ids: episode, start, stop."""
        ids = self._windows(position.epoch)
        order = _stream(self._seed, position.epoch, _ORDER).permutation(len(ids))
        ids = ids[order[self._share.index :: self._share.count]]
        for batch in range(position.batch, self.num_batches(position.epoch)):
            yield ids[batch * self.batch_size : (batch + 1) * self.batch_size]

    def _windows(self, epoch: int) -> Ids:
        slack = self._counts * self.steps - self._lengths  # what the windows reach beyond the ends
        before = _stream(self._seed, epoch, _OFFSETS).integers(0, slack + 1)
        episode = np.repeat(np.arange(len(self._counts)), self._counts)
        firsts = np.cumsum(self._counts) - self._counts
        within = np.arange(len(episode)) - firsts[episode]
        start = within * self.steps - before[episode]
        stop = np.minimum(start + self.steps, self._lengths[episode])
        return np.stack([episode, np.maximum(start, 0), stop], axis=1)


def _check_batches(batches: int, there: int, size: int, share: Share, what: str) -> None:
    if batches < 1:
        raise ConfigurationError(
            f"{there:,} {what} are too few for a batch of {size:,} on each of {share.count} ranks "
            "and loader workers; collect more, or make batches smaller (--batch_size)"
        )


def _stream(seed: int, epoch: int, *place: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch, *place])
