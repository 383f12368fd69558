"""Stores of rollouts, each as its documents show it: written, sliced at random, read in order."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pyarrow as pa

from trajectories.episode import Array, Episode
from trajectories.manifest import Description
from trajectories.reader import open_dataset
from trajectories.schema import Schema
from trajectories.writer import ShardWriter


class Reader(Protocol):
    """A store that is open for reading."""

    def slice(self, episode: int, start: int, steps: int) -> tuple[Array, Array, Array]:
        """Return observations, actions and rewards of some steps."""
        ...

    def scan(self) -> Iterator[Array]:
        """Yield the observations of all episodes, in pieces."""
        ...


class Store(Protocol):
    """A way to keep rollouts.

    Attributes:
        is_lossless: frames come back as they were.
        is_planar: it is given frames [C, H, W], as Scout's environments make them; the others get
            [H, W, C], which PNG and JPEG need.
    """

    is_lossless: bool
    is_planar: bool

    def write(self, folder: Path, schema: Schema, episodes: Sequence[Episode]) -> None:
        """Write all episodes into a new folder."""

    def open(self, folder: Path) -> Reader:
        """Open the folder."""
        ...


class Scout:
    """trajectories/."""

    is_lossless = True
    is_planar = True

    def write(self, folder: Path, schema: Schema, episodes: Sequence[Episode]) -> None:
        """Write one shard."""
        with ShardWriter(folder, schema, Description({"id": "car"}, "brownian"), "a") as writer:
            for episode in episodes:
                writer.add(episode)

    def open(self, folder: Path) -> Reader:
        """Open the dataset."""
        return _ScoutReader(folder)


class _ScoutReader:
    def __init__(self, folder: Path) -> None:
        self._dataset = open_dataset(folder)

    def slice(self, episode: int, start: int, steps: int) -> tuple[Array, Array, Array]:
        found = self._dataset.windows(np.array([[episode, start, start + steps]]), steps)
        return found.observations[0], found.actions[0], found.rewards[0]

    def scan(self) -> Iterator[Array]:
        return (episode.observations for episode in self._dataset.scan())


class Minari:
    """Minari, by default (frames of 32 pixels and more are JPEGs) or lossless."""

    is_planar = False

    def __init__(self, *, is_lossless: bool) -> None:
        self.is_lossless = is_lossless

    def write(self, folder: Path, schema: Schema, episodes: Sequence[Episode]) -> None:
        """Write HDF5, Minari's default."""
        import gymnasium  # noqa: PLC0415
        import minari  # noqa: PLC0415
        from minari.data_collector import EpisodeBuffer  # noqa: PLC0415
        from minari.dataset.minari_storage import MinariStorage  # noqa: PLC0415

        frames = gymnasium.spaces.Box(0, 255, schema.observation_shape, np.uint8)
        actions = gymnasium.spaces.Box(-1, 1, schema.action.shape, np.float32)
        storage = MinariStorage.new(folder, frames, actions, jpeg_encoding=not self.is_lossless)
        storage.update_metadata({"dataset_id": "car-v0", "minari_version": minari.__version__})
        storage.update_episodes(
            EpisodeBuffer(
                observations=episode.observations,
                actions=episode.actions,
                rewards=episode.rewards,
                terminations=np.zeros(episode.length, bool),
                truncations=np.zeros(episode.length, bool),
            )
            for episode in episodes
        )

    def open(self, folder: Path) -> Reader:
        """Open the dataset."""
        return _MinariReader(folder)


class _MinariReader:
    def __init__(self, folder: Path) -> None:
        from minari import MinariDataset  # noqa: PLC0415

        self._dataset = MinariDataset(folder)

    def slice(self, episode: int, start: int, steps: int) -> tuple[Array, Array, Array]:
        whole = self._dataset[episode]  # its unit of reading
        stop = start + steps
        return (
            whole.observations[start : stop + 1],
            whole.actions[start:stop],
            whole.rewards[start:stop],
        )

    def scan(self) -> Iterator[Array]:
        return (episode.observations for episode in self._dataset.iterate_episodes())


class Lance:
    """Lance, with frames as PNGs or as bytes, which it does not compress."""

    is_lossless = True
    is_planar = False

    def __init__(self, *, is_png: bool) -> None:
        self._is_png = is_png

    def write(self, folder: Path, schema: Schema, episodes: Sequence[Episode]) -> None:
        """Write one table."""
        import lance  # noqa: PLC0415

        size = schema.bytes_per_observation
        kind = pa.large_binary() if self._is_png else pa.list_(pa.uint8(), size)
        columns = pa.schema(
            [
                pa.field("observation", kind),
                pa.field("action", pa.list_(pa.float32(), schema.action.num_values)),
                pa.field("reward", pa.float64()),
            ]
        )
        batches = (self._batch(episode, columns) for episode in episodes)
        lance.write_dataset(
            pa.RecordBatchReader.from_batches(columns, batches), str(folder / "t.lance")
        )
        np.save(folder / "lengths.npy", [episode.length + 1 for episode in episodes])

    def _batch(self, episode: Episode, columns: pa.Schema) -> pa.RecordBatch:
        frames = episode.observations
        if self._is_png:
            encoded = [cv2.imencode(".png", frame)[1].tobytes() for frame in frames]
            observation = pa.array(encoded, pa.large_binary())
        else:
            flat = pa.array(frames.reshape(-1))
            observation = pa.FixedSizeListArray.from_arrays(flat, frames[0].size)
        actions = np.concatenate([episode.actions, episode.actions[-1:]])
        action = pa.FixedSizeListArray.from_arrays(pa.array(actions.reshape(-1)), len(actions[0]))
        reward = pa.array(np.append(episode.rewards, 0.0))
        return pa.RecordBatch.from_arrays([observation, action, reward], schema=columns)

    def open(self, folder: Path) -> Reader:
        """Open the table."""
        return _LanceReader(folder)


class _LanceReader:
    def __init__(self, folder: Path) -> None:
        import lance  # noqa: PLC0415

        self._table = lance.dataset(str(folder / "t.lance"))
        lengths = np.load(folder / "lengths.npy")
        self._first = np.cumsum(lengths) - lengths

    def slice(self, episode: int, start: int, steps: int) -> tuple[Array, Array, Array]:
        first = int(self._first[episode]) + start
        rows = self._table.take(list(range(first, first + steps + 1)))
        actions = rows["action"].combine_chunks().flatten().to_numpy()
        return (
            _frames(rows["observation"]),
            actions.reshape(steps + 1, -1)[:steps],
            rows["reward"].to_numpy()[:steps],
        )

    def scan(self) -> Iterator[Array]:
        for batch in self._table.to_batches(columns=["observation"]):
            yield _frames(batch["observation"])


def _frames(column: Any) -> Array:
    """Return the frames of a column of PNGs or of bytes, [n, ...]."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        flat: Array = column.flatten().to_numpy()
        return flat.reshape(len(column), -1)
    return np.stack([_png(value.as_buffer()) for value in column])


def _png(data: Any) -> Array:
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert frame is not None
    return frame


class Archives:
    """A compressed NumPy archive for each episode: what many projects begin with."""

    is_lossless = True
    is_planar = True

    def write(self, folder: Path, schema: Schema, episodes: Sequence[Episode]) -> None:
        """Write an archive for each episode."""
        del schema
        for number, episode in enumerate(episodes):
            parts = {"o": episode.observations, "a": episode.actions, "r": episode.rewards}
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **parts)  # type: ignore[arg-type]
            (folder / f"{number}.npz").write_bytes(buffer.getvalue())

    def open(self, folder: Path) -> Reader:
        """Open the folder."""
        return _ArchiveReader(folder)


class _ArchiveReader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = len(list(folder.iterdir()))

    def slice(self, episode: int, start: int, steps: int) -> tuple[Array, Array, Array]:
        with np.load(self._folder / f"{episode}.npz") as whole:
            stop = start + steps
            return whole["o"][start : stop + 1], whole["a"][start:stop], whole["r"][start:stop]

    def scan(self) -> Iterator[Array]:
        for number in range(self._count):
            with np.load(self._folder / f"{number}.npz") as whole:
                yield whole["o"]


OURS = "Scout"
STORES: Mapping[str, Callable[[], Store]] = {
    OURS: Scout,
    "Minari, default": lambda: Minari(is_lossless=False),
    "Minari, lossless": lambda: Minari(is_lossless=True),
    "Lance, PNG": lambda: Lance(is_png=True),
    "Lance, plain bytes": lambda: Lance(is_png=False),
    "npz": Archives,
}
