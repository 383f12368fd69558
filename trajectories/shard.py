"""A shard on its way to disk: a Parquet file of whole episodes, under a temporary name."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trajectories.columns import to_table
from trajectories.document import FORMAT
from trajectories.episode import Episode
from trajectories.files import PART_PREFIX, sync
from trajectories.manifest import EpisodeEntry, ShardEntry
from trajectories.schema import Schema

ROWS_PER_GROUP = 32  # rows; a random slice of 32 steps reads two groups
FOOTER_KEY = b"scout"  # of what a shard's own footer says of it
# Numbers beside frames are left as they are: to compress 32 of them costs a setup of zstd for each
# column and row group, and saves little.
COMPRESSED = ("observation", "latent", "latent_std")
BUFFER = 1 << 20  # bytes that are written at once: pyarrow writes each page in two parts


@dataclass(frozen=True)
class Origin:
    """Where a shard comes from, as its footer says: dataset, writer, number."""

    dataset: str
    writer: str
    number: int


def encoding(columns: pa.Schema) -> dict[str, Any]:
    """Return how columns are written: pyarrow's keyword arguments."""
    compressed = [name for name in columns.names if name in COMPRESSED]
    return {
        "compression": dict.fromkeys(compressed, "zstd"),
        "compression_level": dict.fromkeys(compressed, 1),
        "use_dictionary": ["episode"],
        "write_statistics": False,  # they leave NaN out: a filter would pass over labels of NaN
        "write_page_checksum": True,
    }


class OpenShard:
    """A Parquet file that takes episodes until it is finished or dropped."""

    def __init__(self, folder: Path, schema: Schema, origin: Origin) -> None:
        """Open a temporary file.

        Raises:
            OSError: it cannot be written.
        """
        self._schema, self._origin = schema, origin
        descriptor, name = tempfile.mkstemp(prefix=f"{PART_PREFIX}{origin.writer}-", dir=folder)
        os.fchmod(descriptor, 0o644)
        os.close(descriptor)
        self.path = Path(name)
        self._sink = pa.BufferedOutputStream(pa.OSFile(name, "wb"), BUFFER)
        arrow = schema.arrow()
        self._parquet = pq.ParquetWriter(self._sink, arrow, **encoding(arrow))
        self._episodes: list[EpisodeEntry] = []
        self._num_rows = 0

    @property
    def num_bytes(self) -> int:
        """The bytes that are written."""
        return int(self._sink.tell())

    def add(self, episode: Episode, entry: EpisodeEntry) -> None:
        """Write an episode; `entry` says what is known of it beside its place.

        Raises:
            OSError: the disk is full, say; nothing but `drop` is then allowed.
        """
        first_byte = self.num_bytes
        self._parquet.write_table(to_table(episode, self._schema), row_group_size=ROWS_PER_GROUP)
        placed = replace(
            entry,
            first_row=self._num_rows,
            first_byte=first_byte,
            num_bytes=self.num_bytes - first_byte,
        )
        self._episodes.append(placed)
        self._num_rows += entry.num_rows

    def finish(self, name: str) -> ShardEntry:
        """Close the file, wait until it is on disk, give it its name; return what it holds.

        Raises:
            OSError: it cannot be written.
            FileExistsError: a file has that name already.
        """
        said = {"format": FORMAT, **asdict(self._origin)}
        said["episodes"] = [episode.as_json() for episode in self._episodes]
        self._parquet.add_key_value_metadata({FOOTER_KEY: json.dumps(said).encode()})
        self._parquet.close()
        self._sink.close()
        sync(self.path)
        shard = measure_shard(self.path, name, self._episodes)
        target = self.path.with_name(name)
        os.link(self.path, target)  # never over another file
        try:
            self.path.unlink()
            sync(self.path.parent)
        except BaseException:
            target.unlink(missing_ok=True)  # nothing names it, and the next one needs the name
            raise
        return shard

    def drop(self) -> None:
        """Remove the temporary file."""
        with contextlib.suppress(OSError):  # what cannot be written on a full disk
            self._parquet.close()
        with contextlib.suppress(OSError):
            self._sink.close()
        self.path.unlink(missing_ok=True)


def measure_shard(path: Path, name: str, episodes: Sequence[EpisodeEntry]) -> ShardEntry:
    """Return the entry of a shard that was just closed; its file is read once.

    Args:
        path: where it lies now.
        name: the file name that it will have.
        episodes: what is known of them but for their digests.

    Raises:
        OSError: it cannot be read.
    """
    whole, footer = hashlib.sha256(), hashlib.sha256()
    hashed = []
    with path.open("rb") as file:
        for episode in episodes:
            whole.update(file.read(episode.first_byte - file.tell()))
            pages = file.read(episode.num_bytes)
            whole.update(pages)
            hashed.append(replace(episode, sha256=hashlib.sha256(pages).hexdigest()))
        while block := file.read(1 << 20):
            whole.update(block)
            footer.update(block)
    return ShardEntry(
        name,
        path.stat().st_size,
        whole.hexdigest(),
        footer.hexdigest(),
        sum(episode.num_rows for episode in episodes),
        tuple(hashed),
    )
