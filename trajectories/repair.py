"""Repair: what is damaged is moved aside, what is whole stays and is made a dataset again."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from configs.errors import DatasetError
from trajectories.fields import Fields
from trajectories.files import replace_file, storage_error
from trajectories.inventory import SET_ASIDE, Inventory, footer_of, take_inventory
from trajectories.manifest import (
    MANIFEST,
    SHARD_NAME,
    DatasetInfo,
    EpisodeEntry,
    Part,
    ShardEntry,
    bytes_of,
    part_path,
)
from trajectories.reader import Dataset, located_in
from trajectories.rows import DiskRows
from trajectories.shard import measure_shard
from trajectories.verify import check_pages, check_shard, whole_episodes
from trajectories.writer import ShardWriter

STALE = 3600.0  # seconds after which an unfinished file is taken for a killed writer's
REPAIRER = "repair"  # the writer of episodes that were saved from damaged shards
Say = Callable[[str], None]


def repair(folder: Path, say: Say) -> None:
    """Make a dataset whole again. No writer may run meanwhile.

    Nothing is deleted: what is damaged, foreign or left over is moved to the folder set-aside. The
    whole episodes of a damaged shard are written again. A damaged part of the manifest is made anew
    from its shards, each page of which is checked. A repair that is interrupted loses no whole
    episode; the next one goes on.

    Args:
        folder: the dataset's.
        say: told in one line what is done.

    Raises:
        DatasetError: it is no dataset, or nothing whole says what it is.
        StorageError: a file cannot be moved or written.
    """
    inventory = take_inventory(folder)
    if inventory.info_error is not None:
        _set_aside(folder / MANIFEST, inventory.info_error, say)
        replace_file(folder / MANIFEST, bytes_of(inventory.info))
        say(f"{folder / MANIFEST}: made anew from the copy in a writer's part")
    for path, what in inventory.bad_parts.items():
        _set_aside(path, what, say)
    for path in inventory.foreign:
        _set_aside(path, "is no file of this dataset", say)
    for path in inventory.unfinished:
        if time.time() - path.stat().st_mtime > STALE:
            _set_aside(path, "was never finished", say)
    seen = _mend_shards(inventory, say)
    _adopt(inventory, seen, say)


def _mend_shards(inventory: Inventory, say: Say) -> set[str]:
    """Keep what is whole of each named shard; return the ids that are then there.

    At every moment each whole episode is in a shard that a part names. Where a repair is cut short
    between two steps, some are there twice, which the next one mends.
    """
    seen: set[str] = set()
    for part_file, part in inventory.parts.items():
        good, bad = [], []
        for shard in part.shards:
            path = inventory.folder / shard.name
            what = check_shard(path, shard, inventory.info.schema, lambda _: None)
            whole = shard.episodes if what is None else whole_episodes(path, shard)
            kept = _unseen(whole, seen)
            if what is None and len(kept) == len(whole):
                good.append(shard)
            else:
                bad.append((shard, kept, what or "holds episodes that are there twice"))
        _write_again(inventory, [(shard, kept) for shard, kept, _ in bad], say)
        for shard, _, what in bad:
            _set_aside(inventory.folder / shard.name, what, say)
        if bad:
            replace_file(part_file, bytes_of(replace(part, shards=tuple(good))))
    return seen


def _unseen(episodes: Sequence[EpisodeEntry], seen: set[str]) -> list[EpisodeEntry]:
    """Return the episodes with an id that was not seen before, and count them as seen."""
    found = []
    for episode in episodes:
        if episode.id not in seen:
            seen.add(episode.id)
            found.append(episode)
    return found


def _write_again(
    inventory: Inventory, saved: Sequence[tuple[ShardEntry, Sequence[EpisodeEntry]]], say: Say
) -> None:
    """Write some episodes of shards into a new one, whole and named when this returns.

    Those of no step, which older writers took, are left where they are.
    """
    saved = [(shard, [entry for entry in kept if entry.length]) for shard, kept in saved]
    if not any(kept for _, kept in saved):
        return
    info = inventory.info
    provenance = {"repaired": [shard.name for shard, kept in saved if kept]}
    with ShardWriter(
        *(inventory.folder, info.schema, info.description, REPAIRER), provenance=provenance
    ) as writer:
        for shard, kept in saved:
            for located in located_in(inventory.folder, shard):
                if located.entry in kept:
                    dataset = Dataset(inventory.folder, info, (located,), DiskRows(info.schema))
                    writer.add(dataset.episode(0))
    for shard, kept in saved:
        if kept:
            path = inventory.folder / shard.name
            say(f"{path}: {len(kept)} of its {len(shard.episodes)} episodes written again")


def _adopt(inventory: Inventory, seen: set[str], say: Say) -> None:
    """Name shards that no part names, where each page of them is whole.

    Of one that has known episodes, too, the others are written again.
    """
    adopted: dict[str, list[ShardEntry]] = {}
    for path in sorted(inventory.unnamed, key=_place):
        shard = _measured(path, inventory.info)
        kept = [] if shard is None else _unseen(shard.episodes, seen)
        if shard is not None and len(kept) == len(shard.episodes):
            adopted.setdefault(_place(path)[0], []).append(shard)
            say(f"{path}: named in the manifest, its {len(kept)} episodes are whole")
            continue
        if shard is not None:
            _write_again(inventory, [(shard, kept)], say)
        _set_aside(path, "is named by no manifest and not whole, or known already", say)
    current = {part.writer: part for part in take_inventory(inventory.folder).parts.values()}
    for writer, shards in adopted.items():
        part = current.get(writer, Part(inventory.info, writer, {"repaired": ["manifest"]}))
        part = replace(part, shards=(*part.shards, *shards))
        replace_file(part_path(inventory.folder, writer), bytes_of(part))


def _place(path: Path) -> tuple[str, int]:
    """Return a shard's writer, and its number among the writer's: the order of a dataset."""
    match = SHARD_NAME.fullmatch(path.name)
    assert match is not None
    return match[1], int(match[2])


def _measured(path: Path, info: DatasetInfo) -> ShardEntry | None:
    """Return a shard's entry from the file itself; None where it is not whole."""
    try:
        said = Fields(footer_of(path), str(path))
        episodes = tuple(map(EpisodeEntry.from_json, said.each("episodes")))
        if check_pages(path, episodes, info.schema, lambda _: None) is not None:
            return None
        return measure_shard(path, path.name, episodes)
    except (DatasetError, OSError, ValueError, pa.ArrowException):
        return None


def _set_aside(path: Path, what: str, say: Say) -> Path | None:
    """Move a file into the folder set-aside, under a name that is free; return where it is."""
    folder = path.parent / SET_ASIDE
    try:
        if not path.exists():
            say(f"{path}: {what}")
            return None
        folder.mkdir(exist_ok=True)
        names = (f"{path.name}.{n}" if n else path.name for n in itertools.count())
        target = next(folder / name for name in names if not (folder / name).exists())
        path.rename(target)
    except OSError as error:
        raise storage_error(folder, error) from error
    say(f"{path}: {what}; moved to {folder}")
    return target
