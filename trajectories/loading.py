"""Batches one after the other: a sampler's ids made into data, each batch with its position."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from trajectories.reader import Dataset, Windows
from trajectories.rows import Rows
from trajectories.sampling import FrameSampler, Position, WindowSampler

START = Position()


def frame_batches(
    dataset: Dataset,
    sampler: FrameSampler,
    position: Position = START,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[Rows, Position]]:
    """Yield batches of single rows for ever, each with the position after it.

    A pool is decoded once; all of its batches are cut from it.

    Args:
        dataset: the one that the sampler was made for.
        sampler: which frames.
        position: where to begin.
        columns: which of them (default: the observations alone).

    Raises:
        DatasetError: a row is damaged.
    """
    while True:
        for rows in _batches_of_epoch(dataset, sampler, position, columns):
            position = Position(position.epoch, position.batch + 1)
            yield rows, position
        position = Position(position.epoch + 1)


def _batches_of_epoch(
    dataset: Dataset, sampler: FrameSampler, position: Position, columns: Sequence[str] | None
) -> Iterator[Rows]:
    size = sampler.batch_size
    left: Rows = {}
    for ids in sampler.pools(position):
        rows = dataset.frames(ids, columns)
        num_rows = len(ids)
        if left:
            num_rows += len(next(iter(left.values())))
            rows = {name: np.concatenate([left[name], values]) for name, values in rows.items()}
        whole = num_rows // size * size
        for first in range(0, whole, size):
            yield {name: values[first : first + size] for name, values in rows.items()}
        left = {name: values[whole:] for name, values in rows.items()} if whole < num_rows else {}


def window_batches(
    dataset: Dataset,
    sampler: WindowSampler,
    position: Position = START,
    columns: Collection[str] | None = None,
) -> Iterator[tuple[Windows, Position]]:
    """Yield batches of windows for ever, each with the position after it.

    Args:
        dataset: the one that the sampler was made for.
        sampler: which windows.
        position: where to begin.
        columns: optional ones that are wanted, as of `Dataset.windows`.

    Raises:
        DatasetError: a row is damaged.
    """
    while True:
        for ids in sampler.batches(position):
            position = Position(position.epoch, position.batch + 1)
            yield dataset.windows(ids, sampler.steps, columns), position
        position = Position(position.epoch + 1)
