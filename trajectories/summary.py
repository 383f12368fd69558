"""Summary: what is in a dataset, in numbers and a few frames; for pages, tables and people."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajectories.episode import Array
from trajectories.reader import Dataset

READ_EPISODES = 200  # whose actions, states and labels are counted
SHEET_EPISODES, SHEET_FRAMES = 8, 8


@dataclass(frozen=True)
class Summary:
    """What there is to see of a dataset.

    Attributes:
        num_episodes, num_frames, num_bytes, num_shards: of all of it; bytes on disk.
        lengths, returns: [episodes].
        splits: episodes of each.
        policies: episodes of each policy; empty where no episode tells.
        num_read: the episodes, evenly spread, that the following come from.
        actions: name -> values [n].
        states, labels: name -> values [n].
        sheet: [rows, columns, ...] frames evenly spread over some episodes; None where an
            observation is no picture.
        sheet_ids: of the episodes in the sheet.
    """

    num_episodes: int
    num_frames: int
    num_bytes: int
    num_shards: int
    lengths: NDArray[np.int64]
    returns: NDArray[np.float64]
    splits: Mapping[str, int]
    policies: Mapping[str, int]
    num_read: int
    actions: Mapping[str, Array]
    states: Mapping[str, Array]
    labels: Mapping[str, Array]
    sheet: Array | None
    sheet_ids: tuple[str, ...]


def summarise(dataset: Dataset) -> Summary:
    """Return the summary of a dataset; of a large one, some episodes are read.

    Raises:
        DatasetError: one of them is damaged.
    """
    shards = {located.path for located in dataset.episodes}
    entries = [located.entry for located in dataset.episodes]
    chosen = _spread(len(dataset), READ_EPISODES)
    columns = _read(dataset, chosen)
    schema = dataset.info.schema
    shown = _spread(len(dataset), SHEET_EPISODES) if is_picture(dataset) else []
    return Summary(
        len(dataset),
        dataset.num_frames,
        sum(path.stat().st_size for path in shards),
        len(shards),
        dataset.lengths,
        np.array([entry.total_reward for entry in entries]),
        {name: 0 for name in dataset.info.description.splits}
        | Counter(entry.split for entry in entries),
        Counter(str(e.values["policy"]) for e in entries if "policy" in e.values),
        len(chosen),
        _by_name(columns["action"], [f"action {i}" for i in range(schema.action.num_values)]),
        _by_name(columns["state"], schema.state) if schema.state else {},
        {name: columns[name] for name in schema.labels},
        np.stack([_strip(dataset, index) for index in shown]) if shown else None,
        tuple(entries[index].id for index in shown),
    )


def is_picture(dataset: Dataset) -> bool:
    """Return whether an observation can be shown: bytes, [H, W], [H, W, C] or [C, H, W]."""
    schema = dataset.info.schema
    shape = schema.observation_shape
    if schema.latent is not None or schema.observation_dtype != "uint8":
        return False
    return len(shape) == 2 or (len(shape) == 3 and (shape[-1] in (1, 3) or shape[0] <= 4))


def _spread(count: int, most: int) -> list[int]:
    """Return up to `most` numbers below `count`, evenly spread."""
    places = np.linspace(0, count - 1, min(count, most)).round()
    return [int(place) for place in np.unique(places)]


def _read(dataset: Dataset, chosen: list[int]) -> dict[str, Array]:
    """Return all columns but the observations of some episodes, one after the other."""
    schema = dataset.info.schema
    names = ["action", *(["state"] if schema.state else []), *schema.labels]
    read: dict[str, list[Array]] = {name: [] for name in names}
    for index in chosen:
        located = dataset.episodes[index]
        rows = dataset.source.read(located, 0, located.entry.num_rows, names)
        for name, values in rows.items():
            read[name].append(values[: located.entry.length] if name == "action" else values)
    return {name: np.concatenate(parts) for name, parts in read.items()}


def _by_name(values: Array, names: list[str] | tuple[str, ...]) -> dict[str, Array]:
    flat = values.reshape(len(values), -1)
    return {name: flat[:, place] for place, name in enumerate(names)}


def _strip(dataset: Dataset, index: int) -> Array:
    """Return SHEET_FRAMES frames of an episode, the first and the last among them."""
    last = dataset.episodes[index].entry.length
    rows = np.linspace(0, last, SHEET_FRAMES).round().astype(np.int64)
    ids = np.stack([np.full_like(rows, index), rows], axis=1)
    return dataset.frames(ids)[dataset.info.schema.observation_column]
