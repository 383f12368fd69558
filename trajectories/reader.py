"""A dataset opened for reading: episodes, frames and windows by their ids."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError, DatasetError
from trajectories.episode import Array, Episode
from trajectories.manifest import (
    MANIFEST,
    DatasetInfo,
    ShardEntry,
    part_paths,
    read_info,
    read_part,
)
from trajectories.rows import DiskRows, Located, Rows, RowSource, groups_of
from trajectories.shard import ROWS_PER_GROUP

Ids = NDArray[np.int64]
OF_STEPS = ("action", "reward", "terminated", "truncated")  # columns without a last value


@dataclass(frozen=True)
class Windows:
    """B windows of T steps, those that are shorter filled up with zeros at their end.

    Attributes:
        observations: [B, T + 1, ...], the last one is what followed the last step; latents in an
            encoded dataset.
        actions: [B, T, ...].
        rewards, terminated, truncated: [B, T].
        mask: [B, T], true where a step was lived.
        ids: [B, 3]: episode, start, stop. The episode is its place in the dataset.
        states: [B, T + 1, S], where there are any.
        labels: name -> [B, T + 1].
        latent_std: [B, T + 1, D], where there is one.
    """

    observations: Array
    actions: Array
    rewards: Array
    terminated: Array
    truncated: Array
    mask: NDArray[np.bool_]
    ids: Ids
    states: Array | None
    labels: Mapping[str, Array]
    latent_std: Array | None


@dataclass(frozen=True)
class Dataset:
    """Episodes in a fixed order: by writer, shard and place in it.

    Attributes:
        folder: where it lies.
        info: schema and description.
        episodes: what the manifest says of each, and where it is.
        source: what reads their rows.
    """

    folder: Path
    info: DatasetInfo
    episodes: tuple[Located, ...]
    source: RowSource

    def __len__(self) -> int:
        return len(self.episodes)

    @cached_property
    def lengths(self) -> Ids:
        """Steps of each episode: [episodes]."""
        return np.array([episode.entry.length for episode in self.episodes], np.int64)

    @property
    def num_frames(self) -> int:
        """All observations."""
        return int(self.lengths.sum()) + len(self)

    @cached_property
    def digest(self) -> str:
        """A digest of which episodes these are, in which order: a position holds for it alone."""
        names = "\n".join(f"{e.entry.id} {e.entry.sha256}" for e in self.episodes)
        return hashlib.sha256(f"{self.info.id}\n{names}".encode()).hexdigest()

    def split(self, name: str) -> "Dataset":
        """Return the episodes of a split.

        Raises:
            ConfigurationError: there is no such split, or no episode fell into it.
        """
        splits = self.info.description.splits
        if name not in splits:
            raise ConfigurationError(
                f"{self.folder} has no split {name!r}, but {', '.join(splits)}"
            )
        return self._having(e for e in self.episodes if e.entry.split == name)

    def select(self, ids: Collection[str]) -> "Dataset":
        """Return the episodes of these ids, in the dataset's order.

        Raises:
            ConfigurationError: none has such an id.
        """
        wanted = set(ids)
        return self._having(e for e in self.episodes if e.entry.id in wanted)

    def _having(self, episodes: Iterable[Located]) -> "Dataset":
        chosen = tuple(episodes)
        if not chosen:
            raise ConfigurationError(
                f"{self.folder}: none of its {len(self)} episodes is among those asked for"
            )
        return replace(self, episodes=chosen)

    def episode(self, index: int) -> Episode:
        """Return an episode by its place in the dataset; its observations are read-only.

        Raises:
            DatasetError: it is damaged.
        """
        located = self.episodes[index]
        schema, steps = self.info.schema, located.entry.length
        rows = self.source.read(located, 0, steps + 1, self.columns)
        return Episode(
            rows[schema.observation_column],
            rows["action"][:steps],
            rows["reward"][:steps],
            bool(steps and rows["terminated"][steps - 1]),
            bool(steps and rows["truncated"][steps - 1]),
            rows.get("state"),
            {name: rows[name] for name in schema.labels},
            rows.get("latent_std"),
            {"id": located.entry.id, **located.entry.values},
        )

    def scan(self) -> Iterator[Episode]:
        """Yield all episodes in order.

        Raises:
            DatasetError: one is damaged.
        """
        return (self.episode(index) for index in range(len(self)))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns but those that say which row it is."""
        names = self.info.schema.arrow().names
        return tuple(name for name in names if name not in ("episode", "t"))

    def frames(self, ids: Ids, columns: Sequence[str] | None = None) -> Rows:
        """Return single rows: column -> [n, ...].

        Args:
            ids: [n, 2]: the episode's place in the dataset, and the row.
            columns: their names (default: the observations alone).

        Raises:
            DatasetError: one is damaged.
        """
        names = (self.info.schema.observation_column,) if columns is None else tuple(columns)
        found: Rows = {}
        for places, located in self._by_runs(ids):
            first, stop = int(ids[places[0], 1]), int(ids[places[-1], 1]) + 1
            for name, values in self.source.read(located, first, stop, names).items():
                if name not in found:
                    found[name] = np.empty((len(ids), *values.shape[1:]), values.dtype)
                found[name][places] = values[ids[places, 1] - first]
        return found

    def _by_runs(self, ids: Ids) -> Iterator[tuple[Ids, Located]]:
        """Yield where ids stand whose row groups touch each other, in order of row; their episode.

        To read neighbours at once costs less than one by one.
        """
        order = np.lexsort((ids[:, 1], ids[:, 0]))
        episodes, groups = ids[order, 0], ids[order, 1] // ROWS_PER_GROUP
        gaps = np.diff(episodes).astype(bool) | (np.diff(groups) > 1)
        for places in np.split(order, np.flatnonzero(gaps) + 1):
            yield places, self.episodes[ids[places[0], 0]]

    def windows(self, ids: Ids, steps: int, columns: Collection[str] | None = None) -> Windows:
        """Return windows of `steps` steps.

        Args:
            ids: [B, 3]: the episode's place in the dataset, the first step, the one after the last.
            steps: T; shorter windows are filled up.
            columns: optional ones that are wanted: "state", "latent_std", labels (default: all).

        Raises:
            DatasetError: one is damaged.
        """
        observation = self.info.schema.observation_column
        wanted = {observation, *OF_STEPS, *(self.columns if columns is None else columns)}
        rows = self._stacked(ids, steps + 1, [name for name in self.columns if name in wanted])
        mask = np.arange(steps) < (ids[:, 2] - ids[:, 1])[:, None]
        known = {name: rows[name][:, :steps] for name in OF_STEPS}
        for values in known.values():
            values[~mask] = 0  # the row after the last step belongs to the next one
        return Windows(
            observations=rows[observation],
            actions=known["action"],
            rewards=known["reward"],
            terminated=known["terminated"],
            truncated=known["truncated"],
            mask=mask,
            ids=ids,
            states=rows.get("state"),
            labels={name: rows[name] for name in self.info.schema.labels if name in rows},
            latent_std=rows.get("latent_std"),
        )

    def _stacked(self, ids: Ids, num_rows: int, names: Sequence[str]) -> Rows:
        stacked: Rows = {}
        for place, (index, start, stop) in enumerate(ids.tolist()):
            rows = self.source.read(self.episodes[index], start, stop + 1, names)
            for name, values in rows.items():
                if name not in stacked:
                    stacked[name] = np.zeros((len(ids), num_rows, *values.shape[1:]), values.dtype)
                stacked[name][place, : stop + 1 - start] = values
        return stacked


def open_dataset(folder: Path | str) -> Dataset:
    """Open a dataset for reading; its files are not checked beyond the manifest (see verify.py).

    Raises:
        DatasetError: it is none, its manifest is damaged, or it has no episodes.
    """
    folder = Path(folder)
    info = read_info(folder)
    parts = [read_part(path, info) for path in part_paths(folder)]
    episodes = tuple(
        located for part in parts for shard in part.shards for located in located_in(folder, shard)
    )
    if not episodes:
        raise DatasetError(f"{folder}: holds no episodes yet")
    doubled = doubled_ids(e.entry.id for e in episodes)
    if doubled:
        raise DatasetError(f"{folder}: episode {doubled[0]} is in it twice")
    return Dataset(folder, info, episodes, DiskRows(info.schema))


def known_ids(folder: Path | str) -> set[str]:
    """Return the ids of all episodes in a folder: what a writer that goes on need not write again.

    Raises:
        DatasetError: a manifest is damaged.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        return set()
    info = read_info(folder)
    parts = [read_part(path, info) for path in part_paths(folder)]
    return {entry.id for part in parts for shard in part.shards for entry in shard.episodes}


def located_in(folder: Path, shard: ShardEntry) -> Iterator[Located]:
    """Yield the episodes of a shard in a dataset's folder, each with where it is."""
    group = 0
    for entry in shard.episodes:
        yield Located(entry, folder / shard.name, shard, group)
        group += groups_of(entry.num_rows)


def doubled_ids(ids: Iterable[str]) -> list[str]:
    """Return the ids that came before."""
    seen: set[str] = set()
    return [name for name in ids if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
