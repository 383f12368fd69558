"""A dataset of the library Minari, lossless."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from training.exchange.library import library
from training.exchange.to_npz import values_of
from trajectories.episode import Array
from trajectories.files import PART_PREFIX
from trajectories.reader import Dataset
from trajectories.schema import ActionSpace, Schema

OWN = ("id", "total_steps")  # what Minari itself notes of an episode, beside the seed


def write_minari(dataset: Dataset, out: Path) -> str:
    """Write the folder `data` of a Minari dataset; return how it is read.

    The hand-crafted state and labels are infos, [T + 1] like observations. Frames are stored as
    they are: Minari's default would make JPEGs of them.

    Raises:
        ConfigurationError: Minari, h5py or pillow is not installed.
    """
    minari = library("minari")
    library("h5py")
    library("PIL")  # Minari imports it where it stores, and does not ask for it
    storage = library("minari.dataset.minari_storage").MinariStorage.new(
        out / "data",
        observation_space=observation_space(dataset.info.schema),
        action_space=action_space(dataset.info.schema.action),
        data_format="hdf5",
        jpeg_encoding=False,
    )
    name = out.name.removeprefix(PART_PREFIX)
    storage.update_metadata(
        {
            "dataset_id": f"{name}-v0",
            "minari_version": minari.__version__,
            "algorithm_name": dataset.info.description.policy,
            "description": f"Exported from Scout's dataset {dataset.info.id}.",
        }
    )
    storage.update_episodes(_buffers(dataset))
    storage.update_episode_metadata([_values(dataset, index) for index in range(len(dataset))])
    return "minari.MinariDataset('{out}/data')"


def _values(dataset: Dataset, index: int) -> dict[str, Any]:
    """Return what is known of an episode; what has a name of Minari's own becomes scout_<name>."""
    values = values_of(dataset, index)
    values.pop("seed", None)  # it is told with the episode
    return {f"scout_{name}" if name in OWN else name: value for name, value in values.items()}


def _buffers(dataset: Dataset) -> Iterator[Any]:
    buffer = library("minari").data_collector.EpisodeBuffer
    for episode in dataset.scan():
        seed = episode.values.get("seed")
        infos: dict[str, Array] = dict(episode.labels)
        if episode.states is not None:
            infos["state"] = episode.states
        if episode.latent_std is not None:
            infos["latent_std"] = episode.latent_std
        ends = np.zeros((2, episode.length), bool)
        ends[:, -1:] = [[episode.terminated], [episode.truncated]]
        yield buffer(
            seed=int(seed) if isinstance(seed, int) else None,
            observations=episode.observations,
            actions=episode.actions,
            rewards=episode.rewards,
            terminations=ends[0],
            truncations=ends[1],
            infos=infos or None,
        )


def observation_space(schema: Schema) -> gymnasium.spaces.Box:
    """Return the space of observations: all that their type can hold."""
    dtype = np.dtype(schema.observation_dtype)
    if dtype.kind == "f":
        low, high = -np.inf, np.inf
    elif dtype.kind == "b":
        low, high = 0, 1
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return gymnasium.spaces.Box(low, high, schema.observation_shape, dtype.type)


def action_space(action: ActionSpace) -> gymnasium.spaces.Space[Any]:
    """Return the space of actions."""
    if action.kind == "discrete":
        return gymnasium.spaces.Discrete(action.sizes[0], start=action.start)
    if action.kind == "multi_discrete":
        return gymnasium.spaces.MultiDiscrete(np.reshape(action.sizes, action.shape))
    if action.kind == "multi_binary":
        return gymnasium.spaces.MultiBinary(action.shape)
    low, high = (
        np.reshape(_bounds(side, np.dtype(action.dtype)), action.shape)
        for side in (action.low, action.high)
    )
    return gymnasium.spaces.Box(low, high, action.shape, np.dtype(action.dtype).type)


def _bounds(side: tuple[float, ...], dtype: np.dtype[Any]) -> Array:
    """Return bounds in the type of the actions: as floats, those of int64 are a little beyond."""
    if dtype.kind in "iu":
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        return np.array([min(max(int(bound), least), most) for bound in side], dtype)
    with np.errstate(over="ignore"):  # the largest float stands for infinity
        return np.array(side).astype(dtype)
