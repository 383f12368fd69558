"""Rows: decoded columns of an episode, straight from its shard or from memory."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import DatasetError
from trajectories.episode import Array
from trajectories.files import hash_of_file
from trajectories.manifest import EpisodeEntry, ShardEntry
from trajectories.schema import Schema
from trajectories.shard import ROWS_PER_GROUP

OPEN_SHARDS = 64  # at once; each keeps its footer in memory, 5 MB for 150 MB of small frames

Rows = dict[str, Array]  # column -> [rows, ...]; zeros where nothing follows the last observation


@dataclass(frozen=True)
class Located:
    """An episode and where its rows are.

    Attributes:
        entry: what the manifest says of it.
        path: the file of its shard.
        shard: what the manifest says of that.
        first_group: the first of its row groups there.
    """

    entry: EpisodeEntry
    path: Path
    shard: ShardEntry
    first_group: int


class RowSource(Protocol):
    """Whatever gives rows of episodes."""

    def read(self, episode: Located, first: int, stop: int, columns: Sequence[str]) -> Rows:
        """Return some columns of the rows from `first` up to `stop`.

        Raises:
            DatasetError: they are damaged.
        """
        ...


def groups_of(num_rows: int) -> int:
    """Return how many row groups an episode's rows take."""
    return -(-num_rows // ROWS_PER_GROUP)


class DiskRows:
    """Rows read from shards when they are asked for, their checksums compared.

    It may be pickled, and used in a forked process: files are opened where they are read.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._files: OrderedDict[Path, pq.ParquetFile] = OrderedDict()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"_schema": self._schema, "_files": OrderedDict(), "_process": -1}

    def read(self, episode: Located, first: int, stop: int, columns: Sequence[str]) -> Rows:
        """Return some columns of the rows from `first` up to `stop`.

        Raises:
            DatasetError: they are damaged, or the shard is not there.
        """
        if first >= stop:
            return decode(self._schema.arrow().empty_table(), self._schema, columns)
        groups = range(first // ROWS_PER_GROUP, groups_of(stop))
        try:
            table = self._file(episode).read_row_groups(
                [episode.first_group + group for group in groups],
                columns=list(columns),
                use_threads=False,
            )
        except (OSError, pa.ArrowException) as error:
            raise damaged(episode, str(error)) from error
        rows = table.slice(first - groups[0] * ROWS_PER_GROUP, stop - first)
        if rows.num_rows != stop - first:
            raise damaged(episode, "rows are missing")
        return decode(rows, self._schema, columns)

    def _file(self, episode: Located) -> pq.ParquetFile:
        """Return the open file of an episode's shard.

        The footer says where pages are. Page checksums do not cover it; the manifest's digest does.
        """
        path = episode.path
        if self._process != os.getpid():
            self._files, self._process = OrderedDict(), os.getpid()
        if path not in self._files:
            if hash_of_file(path, start=episode.shard.footer_start) != episode.shard.footer_sha256:
                raise damaged(episode, "the file's footer was changed")
            self._files[path] = pq.ParquetFile(
                path, pre_buffer=False, page_checksum_verification=True
            )
            if len(self._files) > OPEN_SHARDS:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(path)
        return self._files[path]


def damaged(episode: Located, reason: str) -> DatasetError:
    """Return the error that names what could not be read."""
    reason = " ".join(reason.split())
    return DatasetError(
        f"{episode.path}: episode {episode.entry.id} cannot be read: {reason}; look for damage "
        f"with main.py --data verify {episode.path.parent}"
    )


def decode(table: pa.Table, schema: Schema, columns: Sequence[str]) -> Rows:
    """Return columns of a table as arrays; those of bytes are views of its memory, read-only."""
    return {name: _decoded(table.column(name), schema, name) for name in columns}


def _decoded(column: pa.ChunkedArray, schema: Schema, name: str) -> Array:
    if name in (schema.observation_column, "latent_std"):
        return _unpacked(column, schema)
    if name == "state":
        return _listed(column, (len(schema.state),), "float32")
    if name == "action" and schema.action.shape != ():
        return _listed(column, schema.action.shape, schema.action.dtype)
    if column.null_count:
        column = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    array: Array = column.to_numpy()
    return array


def _unpacked(column: pa.ChunkedArray, schema: Schema) -> Array:
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    dtype = np.dtype(schema.observation_dtype).newbyteorder("<")
    size = schema.bytes_per_observation
    values = np.frombuffer(
        whole.buffers()[1] or b"",
        dtype,
        len(whole) * size // dtype.itemsize,
        whole.offset * size if len(whole) else 0,
    )
    return values.reshape(len(whole), *schema.observation_shape)


def _listed(column: pa.ChunkedArray, shape: tuple[int, ...], dtype: str) -> Array:
    values = np.zeros((len(column), *shape), dtype)
    known = len(column) - column.null_count  # nulls are last
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    values[:known] = flat.reshape(known, *shape)
    return values
