"""What lies in a dataset's folder, whole or not, and which file is whose."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import DatasetError
from trajectories.document import NewerFormatError, read_document
from trajectories.files import PART_PREFIX
from trajectories.manifest import (
    MANIFEST,
    SHARD_NAME,
    DatasetInfo,
    Part,
    ShardEntry,
    part_paths,
    read_info,
    read_part,
)
from trajectories.shard import FOOTER_KEY, Origin

SET_ASIDE = "set-aside"  # the folder that repair moves files to
DOCUMENTS = {".html", ".csv", ".md", ".txt", ".log"}  # files that may lie beside a dataset's own


@dataclass(frozen=True)
class Inventory:
    """A folder, looked through but not checked.

    Attributes:
        folder: which one.
        info: what the dataset is: from manifest.json, or from a part where that is damaged.
        info_error: what is wrong with manifest.json; None where nothing is.
        parts: those that can be read, by path.
        bad_parts: what is wrong with the others, by path.
        unnamed: shards of this dataset that no part names.
        unfinished: files of writers that run or were killed; they do not count.
        foreign: files that are none of the dataset's.
    """

    folder: Path
    info: DatasetInfo
    info_error: str | None
    parts: dict[Path, Part]
    bad_parts: dict[Path, str]
    unnamed: tuple[Path, ...]
    unfinished: tuple[Path, ...]
    foreign: tuple[Path, ...]

    def shards(self) -> Iterator[tuple[Path, ShardEntry]]:
        """Yield every shard that a part names, and where it should be."""
        for part in self.parts.values():
            for shard in part.shards:
                yield self.folder / shard.name, shard

    def is_pending(self, path: Path) -> bool:
        """Return whether an unnamed shard is the next one of a writer that runs or was killed."""
        match = SHARD_NAME.fullmatch(path.name)
        assert match is not None
        own = (part for part in self.parts.values() if part.writer == match[1])
        return any(int(match[2]) == len(part.shards) for part in own)


def take_inventory(folder: Path) -> Inventory:
    """Look through a folder.

    Raises:
        DatasetError: it is no dataset, a later Scout's, or nothing whole in it says what it is.
    """
    try:
        # Files before parts: what a writer finishes meanwhile is then named already.
        files = sorted(Path(entry.path) for entry in os.scandir(folder) if not entry.is_dir())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror}") from error
    info, info_error = _info_of(folder)
    parts: dict[Path, Part] = {}
    bad_parts: dict[Path, str] = {}
    for path in part_paths(folder):
        try:
            parts[path] = read_part(path, info)
        except NewerFormatError:
            raise
        except DatasetError as error:
            bad_parts[path] = str(error).removeprefix(f"{path}: ")
    named = {shard.name for part in parts.values() for shard in part.shards}
    others = [p for p in files if p.name not in named and p not in parts and p not in bad_parts]
    others = [p for p in others if p.name != MANIFEST and p.suffix not in DOCUMENTS]
    unfinished = [path for path in others if path.name.startswith(PART_PREFIX)]
    unnamed = [path for path in others if _is_of(path, info)]
    ours = {*unfinished, *unnamed}
    foreign = tuple(path for path in others if path not in ours)
    return Inventory(
        *(folder, info, info_error, parts, bad_parts),
        *(tuple(unnamed), tuple(unfinished), foreign),
    )


def _info_of(folder: Path) -> tuple[DatasetInfo, str | None]:
    try:
        return read_info(folder), None
    except NewerFormatError:
        raise
    except DatasetError as error:
        reason = str(error).removeprefix(f"{folder / MANIFEST}: ").removeprefix(f"{folder}: ")
        for path in part_paths(folder):
            try:
                return Part.from_json(read_document(path)).dataset, reason
            except DatasetError:
                continue
        raise


def _is_of(path: Path, info: DatasetInfo) -> bool:
    """Return whether a file is a shard of this dataset under its own name."""
    match = SHARD_NAME.fullmatch(path.name)
    said = footer_of(path) if match else None
    if match is None or said is None:
        return False
    origin = Origin(info.id, match[1], int(match[2]))
    return all(said.get(name) == value for name, value in vars(origin).items())


def footer_of(path: Path) -> dict[str, Any] | None:
    """Return what a shard's footer says of it; None where it is none of ours or damaged."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        said = json.loads(metadata.get(FOOTER_KEY, b""))
    except (OSError, ValueError, RecursionError, pa.ArrowException):
        return None
    return said if isinstance(said, dict) else None
