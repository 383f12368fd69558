"""What a dataset is told of the environments that fill it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from training.recording.background import MEDIAN, without_background
from training.recording.recorder import Lived
from trajectories.episode import Episode, Value
from trajectories.manifest import MANIFEST, Description, read_info
from trajectories.schema import ActionSpace, Schema
from workers.environments.base import EnvironmentSpec

LARGEST = float(np.finfo(np.float64).max)
# Of the agent and of nothing that is stored.
_OF_THE_AGENT = frozenset({"stack_size", "learning_reward"})
# Not told where they have this value: datasets from before there were such keys do not tell them.
_NEWER: Mapping[str, Any] = {"ActionRepeat": 1, "DreamTemperature": 1.0, "MarioStages": "all"}
LONGEST_EPISODE = "max_episode_steps"  # a fact, which those datasets do not tell either


def schema_from_spec(spec: EnvironmentSpec, background: str | None) -> Schema:
    """Return the columns for an environment's episodes.

    Frames are stored as [H, W, C] uint8, or int16 where their background is taken off, and vectors
    as float32 [D].

    Raises:
        ConfigurationError: they cannot be stored, or there are no frames to take a background off.
    """
    shape, dtype = spec.observation_shape, spec.observation_dtype
    if len(shape) == 3:
        channels, height, width = shape
        shape = (height, width, channels)
        dtype = "uint8" if background is None else "int16"
    elif background is not None:
        raise ConfigurationError(
            f"--background {background} needs frames, and {spec.env_id} shows a vector: set "
            "ObservationType = pixels, or leave it out"
        )
    return Schema(shape, dtype, _actions(spec), spec.state_names, spec.label_names)


def _actions(spec: EnvironmentSpec) -> ActionSpace:
    if spec.discrete:
        return ActionSpace("discrete", (), "int64", (spec.num_actions,), spec.action_start)
    low, high = (
        tuple(np.clip(np.asarray(side, np.float64), -LARGEST, LARGEST).tolist())
        for side in (spec.action_low, spec.action_high)
    )
    return ActionSpace("box", (spec.num_actions,), "float32", low=low, high=high)


def describe(
    section: EnvironmentSection,
    policy: str,
    background: str | None,
    max_episode_steps: int | None,
) -> Description:
    """Return what all episodes of a dataset share.

    Args:
        section: of the configuration, as the environments were made with it.
        policy: which policy acted, in words.
        background: what was taken off the frames, or None.
        max_episode_steps: env steps after which the environments cut an episode; None where that
            is not known.
    """
    environment = section.model_dump(mode="json", by_alias=True, exclude=set(_OF_THE_AGENT))
    for key, value in _NEWER.items():
        if environment[key] == value:
            del environment[key]
    stored: dict[str, Any] = {
        "frames": "H W C",
        "rewards": "raw",
        "background": "none"
        if background is None
        else "int16: frame minus the median of each pixel over the episode",
    }
    if max_episode_steps is not None:
        stored[LONGEST_EPISODE] = max_episode_steps
    return Description(environment, policy, facts=stored)


def as_told_in(folder: Path, description: Description) -> Description:
    """Return the description without what the dataset in `folder` was made too early to tell.

    Raises:
        DatasetError: its manifest is damaged.
    """
    if not (folder / MANIFEST).exists():
        return description
    if LONGEST_EPISODE in read_info(folder).description.facts:
        return description
    return replace(description, facts=without_longest(description.facts))


def schema_told_in(folder: Path, schema: Schema) -> Schema:
    """Return the schema, with choices counted from 0 where the dataset in `folder` has them so.

    They were, whatever the environment's own numbers, before a schema had a start.

    Raises:
        DatasetError: its manifest is damaged.
    """
    if not (folder / MANIFEST).exists():
        return schema
    from_zero = replace(schema, action=replace(schema.action, start=0))
    return from_zero if read_info(folder).schema == from_zero else schema


def without_longest(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a description tells beside its episodes' limit."""
    return {name: fact for name, fact in facts.items() if name != LONGEST_EPISODE}


def episode_of(
    lived: Lived, schema: Schema, background: str | None, values: Mapping[str, Value]
) -> Episode:
    """Return an episode as it is stored; `values` are those of the episode as a whole.

    Choices, which a pool counts from 0, are stored in the environment's own numbers.
    """
    observations, actions = lived.observations, lived.actions
    if schema.action.start:
        actions = actions + schema.action.start
    if observations.ndim == 4:
        observations = as_stored(observations)
        if background == MEDIAN:
            observations = without_background(observations)
    return Episode(
        observations,
        actions,
        lived.rewards,
        lived.terminated,
        lived.truncated,
        states=lived.states if schema.state else None,
        labels={name: lived.labels[:, place] for place, name in enumerate(schema.labels)},
        values=values,
    )


def as_stored(observations: NDArray[Any]) -> NDArray[Any]:
    """Return frames [..., C, H, W] as [..., H, W, C]; vectors [..., D] are not meant."""
    return np.ascontiguousarray(np.moveaxis(observations, -3, -1))
