"""The manifest of a dataset: what it is (manifest.json), and which shards each writer gave it.

Nobody writes a file that somebody else writes. manifest.json is made once; each writer then has a
manifest-<writer>.json, replaced whenever a shard of its own is complete.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from configs.errors import ConfigurationError, DatasetError
from configs.reading import printable
from trajectories.document import dump_document, read_document
from trajectories.fields import Fields
from trajectories.schema import Schema, differences

MANIFEST = "manifest.json"
WRITER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
PART_NAME = re.compile(rf"manifest-({WRITER.pattern})\.json")
SHARD_NAME = re.compile(rf"shard-({WRITER.pattern})-(0|[1-9]\d{{0,8}})\.parquet")
SPLITS = MappingProxyType({"train": 0.8, "validation": 0.1, "test": 0.1})


@dataclass(frozen=True)
class Description:
    """What all episodes of a dataset share, and all its writers must agree on.

    Attributes:
        environment: its id, arguments and wrappers, as JSON holds them.
        policy: which policy acted.
        splits: the fraction of episodes in each split, by name; they add up to 1.
        facts: whatever else is to be agreed on, such as an encoder's digest.
    """

    environment: Mapping[str, Any]
    policy: str
    splits: Mapping[str, float] = field(default_factory=lambda: SPLITS)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse splits that are none.

        Raises:
            ConfigurationError: there are none, one is negative, or they do not add up to 1.
        """
        fractions = list(self.splits.values())
        if not fractions or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
            told = ", ".join(f"{name} {fraction:g}" for name, fraction in self.splits.items())
            raise ConfigurationError(f"splits must be fractions that add up to 1, not {told}")

    def as_json(self) -> dict[str, Any]:
        """Return the description as JSON holds it."""
        return {
            "environment": dict(self.environment),
            "policy": self.policy,
            # A list, since the order of the names says which share of the hashes each one has.
            "splits": [[name, float(fraction)] for name, fraction in self.splits.items()],
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Description":
        """Return the description that `as_json` gave.

        Raises:
            DatasetError: it is none.
        """
        splits: dict[str, float] = {}
        for pair in fields.pairs("splits"):
            name, fraction = pair
            if not isinstance(name, str) or not isinstance(fraction, int | float):
                raise DatasetError(f"{fields.place}: splits are pairs of a name and a fraction")
            splits[name] = float(fraction)
        environment, facts = fields.mapping("environment"), fields.mapping("facts")
        try:
            return cls(environment, fields.text("policy"), splits, facts)
        except ConfigurationError as error:
            raise DatasetError(f"{fields.place}: {error}") from error


@dataclass(frozen=True)
class DatasetInfo:
    """What manifest.json says: the same for all writers.

    Attributes:
        id: of the dataset, drawn when it was made; its shards carry it.
        schema: of its rows.
        description: of its episodes.
    """

    id: str
    schema: Schema
    description: Description

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "id": self.id,
            "schema": self.schema.as_json(),
            "description": self.description.as_json(),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "DatasetInfo":
        """Return what `as_json` gave.

        Raises:
            DatasetError: it is none.
        """
        try:
            schema = Schema.from_json(fields.within("schema"))
        except ConfigurationError as error:
            raise DatasetError(f"{fields.place}: {error}") from error
        description = Description.from_json(fields.within("description"))
        return cls(fields.text("id"), schema, description)


@dataclass(frozen=True)
class EpisodeEntry:
    """What the manifest says of an episode.

    Attributes:
        id: unique in the dataset.
        split: the split that it belongs to.
        length: its steps T; it has T + 1 rows.
        total_reward: its undiscounted return.
        first_row: where it begins in its shard.
        first_byte, num_bytes: where its pages lie in the file.
        sha256: of these bytes.
        values: seed, policy, layout and what else is known of it.
    """

    id: str
    split: str
    length: int
    total_reward: float
    first_row: int
    first_byte: int
    num_bytes: int
    sha256: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Its rows: one for each observation."""
        return self.length + 1

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "id": self.id,
            "split": self.split,
            "length": self.length,
            "return": self.total_reward,
            "first_row": self.first_row,
            "first_byte": self.first_byte,
            "num_bytes": self.num_bytes,
            "sha256": self.sha256,
            "values": dict(self.values),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "EpisodeEntry":
        """Return what `as_json` gave.

        Raises:
            DatasetError: it is none.
        """
        return cls(
            fields.text("id"),
            fields.text("split"),
            fields.count("length"),
            fields.number("return"),
            fields.count("first_row"),
            fields.count("first_byte"),
            fields.count("num_bytes"),
            fields.text("sha256"),
            fields.mapping("values"),
        )


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest says of a shard.

    Attributes:
        name: of its file.
        num_bytes, sha256: of the file.
        footer_sha256: of the bytes after the last episode, which say where all others are.
        num_rows: those of all its episodes.
        episodes: in their order.
    """

    name: str
    num_bytes: int
    sha256: str
    footer_sha256: str
    num_rows: int
    episodes: tuple[EpisodeEntry, ...]

    @property
    def footer_start(self) -> int:
        """The first byte after the last episode."""
        return max((e.first_byte + e.num_bytes for e in self.episodes), default=0)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "name": self.name,
            "num_bytes": self.num_bytes,
            "sha256": self.sha256,
            "footer_sha256": self.footer_sha256,
            "num_rows": self.num_rows,
            "episodes": [episode.as_json() for episode in self.episodes],
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "ShardEntry":
        """Return what `as_json` gave.

        Raises:
            DatasetError: it is none, or its numbers contradict each other.
        """
        name = fields.text("name")
        if not SHARD_NAME.fullmatch(name):
            raise DatasetError(f"{fields.place}: {printable(name)!r} is no name of a shard")
        episodes = tuple(map(EpisodeEntry.from_json, fields.each("episodes")))
        shard = cls(
            *(name, fields.count("num_bytes"), fields.text("sha256")),
            *(fields.text("footer_sha256"), fields.count("num_rows"), episodes),
        )
        row = 0
        for episode in episodes:
            if episode.first_row != row:
                raise DatasetError(f"{fields.place}: episode {episode.id!r} is out of place")
            row += episode.num_rows
        if row != shard.num_rows:
            raise DatasetError(f"{fields.place}: its episodes have {row} rows, not num_rows")
        return shard


@dataclass(frozen=True)
class Part:
    """What one writer says: how it was started, and its shards.

    Attributes:
        dataset: what it took manifest.json to say; that file is mended from this copy.
        writer: its name.
        provenance: seed, command, commit, versions: all that may differ from writer to writer.
        shards: those that are complete.
    """

    dataset: DatasetInfo
    writer: str
    provenance: Mapping[str, Any]
    shards: tuple[ShardEntry, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "dataset": self.dataset.as_json(),
            "writer": self.writer,
            "provenance": dict(self.provenance),
            "shards": [shard.as_json() for shard in self.shards],
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Part":
        """Return what `as_json` gave.

        Raises:
            DatasetError: it is none.
        """
        return cls(
            DatasetInfo.from_json(fields.within("dataset")),
            fields.text("writer"),
            fields.mapping("provenance"),
            tuple(map(ShardEntry.from_json, fields.each("shards"))),
        )


def part_path(folder: Path, writer: str) -> Path:
    """Return where the part of a writer lies."""
    return folder / f"manifest-{writer}.json"


def shard_name(writer: str, number: int) -> str:
    """Return the file name of a writer's shard."""
    return f"shard-{writer}-{number}.parquet"


def bytes_of(content: DatasetInfo | Part) -> bytes:
    """Return a file of the manifest.

    Raises:
        ConfigurationError: a description or a value is nothing that JSON holds.
    """
    try:
        return dump_document(content.as_json())
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"this cannot be told in a manifest: {error}") from error


def read_info(folder: Path) -> DatasetInfo:
    """Return what manifest.json says.

    Raises:
        DatasetError: there is none, or it is damaged.
    """
    if not (folder / MANIFEST).exists():
        raise DatasetError(f"{folder}: is no dataset: it has no {MANIFEST}")
    return DatasetInfo.from_json(read_document(folder / MANIFEST))


def part_paths(folder: Path) -> list[Path]:
    """Return the parts of all writers, in order of name."""
    return sorted(path for path in folder.iterdir() if PART_NAME.fullmatch(path.name))


def read_part(path: Path, info: DatasetInfo) -> Part:
    """Return what a writer said.

    Raises:
        DatasetError: it is damaged, of another dataset, or of another writer than its name says.
    """
    part = Part.from_json(read_document(path))
    if part.dataset.id != info.id:
        raise DatasetError(f"{path}: belongs to another dataset")
    differing = differences(part.dataset.as_json(), info.as_json())
    if differing:
        raise DatasetError(f"{path}: differs from {MANIFEST} in {', '.join(differing)}")
    if path.name != part_path(path.parent, part.writer).name:
        raise DatasetError(f"{path}: was renamed; its writer was {printable(part.writer)}")
    foreign = [shard.name for shard in part.shards if writer_of(shard.name) != part.writer]
    if foreign:
        raise DatasetError(f"{path}: names {foreign[0]}, which is another writer's")
    return part


def writer_of(name: str) -> str | None:
    """Return the writer in a shard's file name; None where it is no such name."""
    match = SHARD_NAME.fullmatch(name)
    return None if match is None else match[1]


def split_of(episode: str, splits: Mapping[str, float]) -> str:
    """Return the split of an episode: its id's hash, as a number from 0 to 1, falls into one.

    So an episode keeps its split whoever writes it, and in whatever order.
    """
    place = int.from_bytes(hashlib.sha256(episode.encode()).digest()[:8]) / 2**64
    reached = 0.0
    for name, fraction in splits.items():
        reached += fraction
        if place < reached:
            return name
    return [name for name, fraction in splits.items() if fraction > 0][-1]
