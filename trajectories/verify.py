"""Verify: is every byte of a dataset what its writers wrote?"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trajectories.files import hash_of_file
from trajectories.inventory import Inventory, take_inventory
from trajectories.manifest import MANIFEST, EpisodeEntry, ShardEntry, split_of
from trajectories.reader import doubled_ids
from trajectories.rows import groups_of
from trajectories.schema import Schema

UNFINISHED = "unfinished, of a writer that runs or was killed; it does not count"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Problem:
    """A file that is not as it should be, and what is wrong with it."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        folder: the dataset's.
        problems: what is wrong; none where all is whole.
        notes: what is worth a line and not wrong.
        num_shards, num_episodes, num_rows, num_bytes: of the shards that are whole.
    """

    folder: Path
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    num_shards: int
    num_episodes: int
    num_rows: int
    num_bytes: int


def bytes_to_read(inventory: Inventory, names: Collection[str] | None = None) -> int:
    """Return how many bytes `verify` will report as read."""
    return 2 * sum(shard.num_bytes for _, shard in _asked(inventory, names))


def verify(
    inventory: Inventory,
    names: Collection[str] | None = None,
    read: Progress = lambda _: None,
) -> Verdict:
    """Check a dataset: digests of all files, checksums of all pages, rows, ids, foreign files.

    Args:
        inventory: of its folder.
        names: files that are to be checked (default: all).
        read: told numbers of bytes as they are read.
    """

    def is_asked(path: Path) -> bool:
        return names is None or path.name in names

    problems = [problem for problem in _of_manifest(inventory) if is_asked(problem.path)]
    whole: list[ShardEntry] = []
    for path, shard in _asked(inventory, names):
        what = check_shard(path, shard, inventory.info.schema, read)
        if what is None:
            whole.append(shard)
        else:
            problems.append(Problem(path, what))
    return Verdict(
        inventory.folder,
        tuple(problems),
        tuple(f"{path}: {UNFINISHED}" for path in _unfinished(inventory) if is_asked(path)),
        len(whole),
        sum(len(shard.episodes) for shard in whole),
        sum(shard.num_rows for shard in whole),
        sum(shard.num_bytes for shard in whole),
    )


def verify_folder(folder: Path) -> Verdict:
    """Check the dataset in a folder.

    Raises:
        DatasetError: it is none, or nothing whole in it says what it is.
    """
    return verify(take_inventory(folder))


def _asked(
    inventory: Inventory, names: Collection[str] | None
) -> Iterator[tuple[Path, ShardEntry]]:
    return (
        (path, shard) for path, shard in inventory.shards() if names is None or path.name in names
    )


def _of_manifest(inventory: Inventory) -> Iterator[Problem]:
    folder = inventory.folder
    if inventory.info_error is not None:
        yield Problem(folder / MANIFEST, inventory.info_error)
    for path, what in inventory.bad_parts.items():
        yield Problem(path, what)
    for path in inventory.unnamed:
        if not inventory.is_pending(path):
            yield Problem(path, "is a shard of this dataset that no manifest names")
    for path in inventory.foreign:
        yield Problem(path, "is no file of this dataset")
    places = [(path, entry) for path, shard in inventory.shards() for entry in shard.episodes]
    doubled = set(doubled_ids(entry.id for _, entry in places))
    splits = inventory.info.description.splits
    seen: set[str] = set()
    for path, entry in places:
        if entry.id in doubled and entry.id in seen:
            yield Problem(path, f"holds episode {entry.id}, which is in the dataset twice")
        if entry.split != split_of(entry.id, splits):
            yield Problem(path, f"episode {entry.id} is not of split {entry.split!r}")
        seen.add(entry.id)


def _unfinished(inventory: Inventory) -> Iterator[Path]:
    yield from inventory.unfinished
    yield from (path for path in inventory.unnamed if inventory.is_pending(path))


def check_shard(path: Path, shard: ShardEntry, schema: Schema, read: Progress) -> str | None:
    """Return what is wrong with a shard; None where nothing is.

    Pages are only decoded where the digest of the file is right: pages that are damaged have ended
    interpreters.
    """
    try:
        size = path.stat().st_size
        digest = hash_of_file(path, read)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if digest != shard.sha256:
        whole = len(whole_episodes(path, shard))
        kept = f"{whole} of its {len(shard.episodes)} episodes are whole"
        if size != shard.num_bytes:
            return f"has {size:,} bytes, not {shard.num_bytes:,}; {kept}"
        return f"has changed: its digest does not match; {kept}"
    try:
        return check_pages(path, shard.episodes, schema, read)
    except (OSError, ValueError, pa.ArrowException) as error:
        return f"cannot be read: {' '.join(str(error).split())}"


def check_pages(
    path: Path, episodes: Collection[EpisodeEntry], schema: Schema, read: Progress
) -> str | None:
    """Decode every page and compare columns, rows and episodes with the manifest's.

    Raises:
        OSError, ValueError, pa.ArrowException: a page cannot be decoded.
    """
    with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
        if not file.schema_arrow.equals(schema.arrow()):
            return "has other columns than its dataset"
        groups = sum(groups_of(episode.num_rows) for episode in episodes)
        if file.num_row_groups != groups:
            return f"has {file.num_row_groups} row groups, not {groups}"
        group = 0
        for episode in episodes:
            end = group + groups_of(episode.num_rows)
            table = file.read_row_groups(list(range(group, end)), use_threads=False)
            rows = table["t"].to_pylist()
            if set(table["episode"].to_pylist()) != {episode.id}:
                return f"has another episode where {episode.id} should be"
            if rows != list(range(episode.num_rows)):
                return f"episode {episode.id} has {len(rows)} rows, not {episode.num_rows} in order"
            group = end
            read(episode.num_bytes)
    return None


def whole_episodes(path: Path, shard: ShardEntry) -> tuple[EpisodeEntry, ...]:
    """Return the episodes of a damaged shard whose bytes are as they were, and can be found.

    Where they are stands in the footer; without a whole one, none can be read.
    """
    whole: list[EpisodeEntry] = []
    try:
        if hash_of_file(path, start=shard.footer_start) != shard.footer_sha256:
            return ()
        with path.open("rb") as file:
            for episode in shard.episodes:
                file.seek(episode.first_byte)
                pages = file.read(episode.num_bytes)
                if hashlib.sha256(pages).hexdigest() == episode.sha256:
                    whole.append(episode)
    except OSError:
        return ()
    return tuple(whole)
