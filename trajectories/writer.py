"""ShardWriter: episodes into a dataset, whatever happens meanwhile."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import uuid4

import numpy as np

from configs.errors import ConfigurationError, ScoutError
from configs.reading import printable
from trajectories.columns import check_episode
from trajectories.episode import Episode
from trajectories.files import create_file, replace_file, storage_error
from trajectories.manifest import (
    MANIFEST,
    WRITER,
    DatasetInfo,
    Description,
    EpisodeEntry,
    Part,
    bytes_of,
    part_path,
    read_info,
    shard_name,
    split_of,
)
from trajectories.schema import Schema, differences
from trajectories.shard import OpenShard, Origin

SHARD_SIZE = 150_000_000  # bytes
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ShardWriter:
    """Writes whole episodes into shards, and names each shard in the manifest once it is whole.

    Any number of them may write into one directory at once, from any number of processes and
    machines. Each has a name and a part of the manifest of its own; where a name is taken, by a
    writer that runs or by one of last week, a number is added. So appending to a dataset is writing
    again.

    A process that is killed loses the open shard and nothing else. Where a `with` block ends by an
    exception, whole episodes that were added before are kept, unless it came while one was written.

    Attributes:
        name: the writer's name, as files carry it.
    """

    def __init__(
        self,
        directory: Path | str,
        schema: Schema,
        description: Description,
        writer: str,
        *,
        provenance: Mapping[str, Any] = _NOTHING,
        shard_size: int = SHARD_SIZE,
    ) -> None:
        """Open a dataset for writing; make it where there is none.

        Args:
            directory: of the dataset.
            schema: of its rows.
            description: of its episodes; both must be those of the dataset that is there.
            writer: a name for this writer: letters, digits, "_", "." and "-".
            provenance: how it was started: seed, command, commit, versions; JSON.
            shard_size: bytes after which a shard is closed, at the end of an episode.

        Raises:
            ConfigurationError: the dataset that is there differs, or the name is none.
            DatasetError: its manifest is damaged.
            StorageError: the directory cannot be written.
        """
        self._open: OpenShard | None = None
        if not WRITER.fullmatch(writer):
            raise ConfigurationError(
                f"writer {printable(writer)!r}: a name has letters, digits, '_', '.' and '-' only"
            )
        self._folder, self._shard_size = Path(directory), shard_size
        self._info = _join(self._folder, schema, description)
        self._part = _claim(self._folder, Part(self._info, writer, dict(provenance)))
        self.name = self._part.writer

    @property
    def num_episodes(self) -> int:
        """How many episodes of this writer the manifest names."""
        return sum(len(shard.episodes) for shard in self._part.shards)

    @property
    def num_bytes(self) -> int:
        """The bytes of this writer's shards, the open one included."""
        closed = sum(shard.num_bytes for shard in self._part.shards)
        return closed + (0 if self._open is None else self._open.num_bytes)

    def add(self, episode: Episode) -> None:
        """Write an episode; close the shard when it is large enough.

        Raises:
            ConfigurationError: the schema does not describe it.
            StorageError: the disk is full, say; the open shard is lost, the dataset is whole.
        """
        check_episode(episode, self._info.schema)
        entry = self._entry(episode)
        try:
            if self._open is None:
                origin = Origin(self._info.id, self.name, len(self._part.shards))
                self._open = OpenShard(self._folder, self._info.schema, origin)
            self._open.add(episode, entry)
        except BaseException as error:
            self.drop()
            if isinstance(error, OSError):
                raise storage_error(self._folder, error) from error
            raise
        if self._open.num_bytes >= self._shard_size:
            self.flush()

    def flush(self) -> None:
        """Close the open shard, where there is one, and name it in the manifest.

        Raises:
            StorageError: it cannot be written; the dataset is whole, without the shard unless the
                manifest names it already.
        """
        if self._open is None:
            return
        try:
            shard = self._open.finish(shard_name(self.name, len(self._part.shards)))
        except BaseException as error:
            self.drop()
            if isinstance(error, OSError):
                raise storage_error(self._folder, error) from error
            raise
        self._open = None
        part = replace(self._part, shards=(*self._part.shards, shard))
        path, content = part_path(self._folder, self.name), bytes_of(part)
        try:
            replace_file(path, content)
        except ScoutError:
            if _holds(path, content):  # only its name may not be on disk yet
                self._part = part
            else:
                (self._folder / shard.name).unlink(missing_ok=True)  # nothing names it
            raise
        self._part = part

    def drop(self) -> None:
        """Give the open shard up."""
        if self._open is not None:
            self._open.drop()
            self._open = None

    def close(self) -> None:
        """Close the open shard; a writer that wrote nothing leaves nothing.

        Raises:
            StorageError: the open shard cannot be written.
        """
        self.flush()
        if not self._part.shards:
            part_path(self._folder, self.name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _entry(self, episode: Episode) -> EpisodeEntry:
        values = {name: _plain(name, value) for name, value in episode.values.items()}
        name = values.pop("id")
        return EpisodeEntry(
            id=name,
            split=split_of(name, self._info.description.splits),
            length=episode.length,
            total_reward=episode.total_reward,
            first_row=0,
            first_byte=0,
            num_bytes=0,
            sha256="",
            values=values,
        )


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _plain(name: str, value: Any) -> Any:
    """Return a per-episode value as JSON holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bool | int) or (isinstance(value, float) and np.isfinite(value)):
        return value
    raise ConfigurationError(
        f"episode value {name!r} is {printable(repr(value))}, neither a text nor a finite number"
    )


def _join(folder: Path, schema: Schema, description: Description) -> DatasetInfo:
    """Return the dataset's info, made where there is none; refuse one that differs."""
    made = DatasetInfo(uuid4().hex, schema, description)
    if not (folder / MANIFEST).exists() and create_file(folder / MANIFEST, bytes_of(made)):
        return made
    return check_agrees(folder, schema, description)


def check_agrees(folder: Path, schema: Schema, description: Description) -> DatasetInfo:
    """Return the info of the dataset that is there; refuse one that would not take such episodes.

    Raises:
        ConfigurationError: it has another schema or description, and which keys differ.
        DatasetError: its manifest is damaged.
    """
    found, wanted = read_info(folder), DatasetInfo("", schema, description)
    differing = differences({**found.as_json(), "id": ""}, _through_json(wanted.as_json()))
    if differing:
        raise ConfigurationError(
            f"{folder} holds a dataset that differs in {', '.join(differing)}; write into another "
            "directory, or with what this one was made with"
        )
    return found


def _through_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return content as it would be read back: tuples are lists there."""
    return json.loads(json.dumps(content))  # type: ignore[no-any-return]


def _claim(folder: Path, part: Part) -> Part:
    """Return the part under the first name that nobody has; its file is then there."""
    names = (part.writer if n == 1 else f"{part.writer}.{n}" for n in itertools.count(1))
    for name in names:
        named = replace(part, writer=name)
        if create_file(part_path(folder, name), bytes_of(named)):
            return named
    raise AssertionError  # the names do not end
