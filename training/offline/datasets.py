"""Datasets opened by a folder or a pattern, and what must be known of them."""

import glob
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, DatasetError
from configs.reading import printable
from training.checkpoints.encoder import ENCODER
from training.checkpoints.offline import environment_id
from training.recording.describing import LONGEST_EPISODE, without_longest
from trajectories.reader import Dataset, doubled_ids, open_dataset
from trajectories.schema import differences


def open_datasets(pattern: str) -> Dataset:
    """Open the dataset in a folder, or all of those that a pattern matches as one.

    Raises:
        ConfigurationError: there is none of that name, or those that match are of several kinds.
        DatasetError: one is damaged, or two hold an episode of the same name.
    """
    folders = [Path(pattern)] if Path(pattern).exists() else sorted(map(Path, glob.glob(pattern)))
    if not folders:
        raise ConfigurationError(
            f"--dataset {printable(pattern)}: there is no such folder, and nothing matches it as a "
            "pattern; collect rollouts first, or name a folder that is there"
        )
    first, *others = [_opened(folder) for folder in folders]
    if not others:
        return first
    for other in others:
        _check_alike(first, other)
    episodes = tuple(each for dataset in (first, *others) for each in dataset.episodes)
    doubled = doubled_ids(each.entry.id for each in episodes)
    if doubled:
        raise DatasetError(f"--dataset {pattern}: episode {doubled[0]} is in it twice")
    return replace(first, folder=Path(pattern), episodes=episodes)


def _opened(folder: Path) -> Dataset:
    if not folder.is_dir():
        raise ConfigurationError(f"--dataset: {folder} is a file; name the dataset's folder")
    return open_dataset(folder)


def _check_alike(one: Dataset, other: Dataset) -> None:
    """Refuse datasets that cannot be read as one; one from earlier versions may tell less."""
    described = [dataset.info.description for dataset in (one, other)]
    facts = [dict(each.facts) for each in described]
    if not all(LONGEST_EPISODE in each for each in facts):
        facts = [without_longest(each) for each in facts]
    ours, theirs = (
        {
            **dataset.info.schema.as_json(),
            "environment": dict(dataset.info.description.environment),
            "facts": told,
            "splits": list(dataset.info.description.splits.items()),
        }
        for dataset, told in zip((one, other), facts, strict=True)
    )
    differing = differences(ours, theirs)
    if differing:
        raise ConfigurationError(
            f"{one.folder} and {other.folder} differ in {', '.join(differing)} and cannot be read "
            "as one dataset; narrow the pattern of --dataset"
        )


def environment_of(dataset: Dataset) -> str:
    """Return the id of the environment that the episodes come from."""
    return environment_id(dataset.info.description.environment)


def check_environment(dataset: Dataset, wanted: str | None) -> None:
    """Refuse a dataset of another environment than the one that is named.

    Raises:
        ConfigurationError: with both names.
    """
    if wanted is not None and not same_environment(wanted, environment_of(dataset)):
        raise ConfigurationError(
            f"--environment {printable(wanted)}: {dataset.folder} holds rollouts of "
            f"{environment_of(dataset)}; name that, or another dataset"
        )


def same_environment(one: str, other: str) -> bool:
    """Whether two names mean one environment: CAR_RACING means CarRacing-v3."""
    if re.fullmatch(r"[A-Z0-9_]+", one) or re.fullmatch(r"[A-Z0-9_]+", other):
        return _plain(one) == _plain(other)
    return one == other


def _plain(name: str) -> str:
    """Return a name without module, version, capitals and underscores: carracing."""
    bare = re.sub(r"-v\d+$", "", name.rpartition(":")[2])
    return re.sub(r"[-_]", "", bare).casefold()


def facts_of(dataset: Dataset, split: str) -> dict[str, Any]:
    """Return what a checkpoint tells of the data, in JSON's types; `dataset` is the split's."""
    return {
        "digest": dataset.digest,
        "split": split,
        "episodes": len(dataset),
        "frames": dataset.num_frames,
        "environment": dict(dataset.info.description.environment),
        "policy": dataset.info.description.policy,
        "schema": dataset.info.schema.as_json(),
        "encoder": dataset.info.description.facts.get(ENCODER),
        LONGEST_EPISODE: dataset.info.description.facts.get(LONGEST_EPISODE),
    }
