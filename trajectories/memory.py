"""A dataset decoded once into memory, for as long as there is room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from configs.sizes import bytes_text
from trajectories.episode import Array
from trajectories.reader import Dataset
from trajectories.rows import Located, Rows


def decoded_bytes(dataset: Dataset) -> int:
    """Return the bytes that all rows of a dataset take when they are decoded."""
    return sum(size for _, _, size in _layout(dataset))


def in_memory(dataset: Dataset, room: int, say: Callable[[str], None]) -> Dataset:
    """Return the dataset decoded into memory, or as it is where it does not fit.

    Args:
        dataset: which episodes.
        room: bytes that it may take.
        say: told in one line what is done and how large it is.

    Raises:
        DatasetError: an episode is damaged.
    """
    size = decoded_bytes(dataset)
    told = f"{dataset.folder}: {dataset.num_frames:,} frames take {bytes_text(size)} decoded"
    if size > room:
        say(f"{told}, more than the {bytes_text(room)} that are free: they are read from disk")
        return dataset
    say(f"{told}: they are read into memory once")
    return replace(dataset, source=_decode(dataset))


@dataclass(frozen=True)
class _MemoryRows:
    """Columns of all episodes one after the other, and where each episode begins."""

    arrays: Rows
    first_rows: dict[str, int]

    def read(self, episode: Located, first: int, stop: int, columns: Sequence[str]) -> Rows:
        begin = self.first_rows[episode.entry.id]
        return {name: self.arrays[name][begin + first : begin + stop] for name in columns}


def _layout(dataset: Dataset) -> list[tuple[str, Array, int]]:
    """Return each column's name, an empty array like it and the bytes of all its rows."""
    first = dataset.source.read(dataset.episodes[0], 0, 1, dataset.columns)
    rows = dataset.num_frames
    return [(name, values[:0], rows * values[0].nbytes) for name, values in first.items()]


def _decode(dataset: Dataset) -> _MemoryRows:
    rows = dataset.num_frames
    arrays = {name: np.empty((rows, *e.shape[1:]), e.dtype) for name, e, _ in _layout(dataset)}
    places = np.concatenate([[0], np.cumsum(dataset.lengths + 1)]).tolist()
    for episode, (begin, end) in zip(dataset.episodes, pairwise(places), strict=True):
        read = dataset.source.read(episode, 0, end - begin, dataset.columns)
        for name, values in read.items():
            arrays[name][begin:end] = values
    for values in arrays.values():
        values.flags.writeable = False
    ids = (episode.entry.id for episode in dataset.episodes)
    return _MemoryRows(arrays, dict(zip(ids, places[:-1], strict=True)))
