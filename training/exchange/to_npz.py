"""One compressed NumPy archive for each episode, and a table of all."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from trajectories.episode import Episode
from trajectories.reader import Dataset

INDEX = "episodes.json"


def arrays_of(episode: Episode) -> dict[str, Any]:
    """Return an episode's arrays by name; labels as label_<name>."""
    arrays: dict[str, Any] = {
        "observations": episode.observations,
        "actions": episode.actions,
        "rewards": episode.rewards,
        "terminated": np.array(episode.terminated),
        "truncated": np.array(episode.truncated),
    }
    if episode.states is not None:
        arrays["states"] = episode.states
    if episode.latent_std is not None:
        arrays["latent_std"] = episode.latent_std
    return arrays | {f"label_{name}": values for name, values in episode.labels.items()}


def values_of(dataset: Dataset, index: int) -> dict[str, Any]:
    """Return what the manifest says of an episode, but for its place."""
    entry = dataset.episodes[index].entry
    return {
        **entry.values,
        "id": entry.id,
        "split": entry.split,
        "length": entry.length,
        "return": entry.total_reward,
    }


def write_npz(dataset: Dataset, out: Path) -> str:
    """Write episode-000000.npz and so on, and episodes.json; return how they are read."""
    index = []
    for number, episode in enumerate(dataset.scan()):
        name = f"episode-{number:06d}.npz"
        np.savez_compressed(out / name, **arrays_of(episode))
        index.append({"file": name, **values_of(dataset, number)})
    whole = {"dataset": dataset.info.as_json(), "episodes": index}
    (out / INDEX).write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return "numpy.load('{out}/episode-000000.npz')"
