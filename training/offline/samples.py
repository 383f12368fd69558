"""From rows and windows of a dataset to the samples that are trained on."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from agents.encoders.objective import Needs, Samples
from configs.errors import ConfigurationError
from training.offline.shapes import CHOICES, observes_vectors
from trajectories.episode import Array
from trajectories.loading import frame_batches, window_batches
from trajectories.reader import Dataset, Windows
from trajectories.rows import Rows
from trajectories.sampling import WHOLE, FrameSampler, Position, Share, WindowSampler
from trajectories.schema import ActionSpace, Schema

OF_ONE_ROW = frozenset({"observations", "states", "labels"})  # what needs no row that follows


class Source(Protocol):
    """Where batches come from, in an order that depends on a seed and a position alone."""

    def batches(self, position: Position) -> Iterator[tuple[Samples, Position]]:
        """Yield batches for ever, each with the position after it.

        Raises:
            DatasetError: a row is damaged.
        """
        ...


def open_source(
    dataset: Dataset,
    needs: Needs,
    *,
    batch_size: int,
    seed: int,
    share: Share = WHOLE,
    per_episode: int | None = None,
) -> Source:
    """Return batches of what is needed: single rows where these are enough, else windows.

    Args:
        dataset: which episodes.
        needs: of what is trained.
        batch_size: samples of a batch.
        seed: of their order, the same on all shares.
        share: which of them are ours.
        per_episode: rows of each visit to an episode; None = all of them.

    Raises:
        ConfigurationError: there are too few samples for a batch, or windows were to be drawn
            `per_episode`.
    """
    if needs.steps == 1 and OF_ONE_ROW.issuperset(needs.fields):
        frames = FrameSampler(
            dataset, batch_size=batch_size, seed=seed, share=share, per_episode=per_episode
        )
        return _Frames(dataset, needs, frames)
    if per_episode is not None:
        raise ConfigurationError(
            "--obs_sampled_per_rollout (ObsSampledPerRollout) says how many single observations "
            "are drawn from an episode, and this model is trained on windows of them; leave it out"
        )
    windows = WindowSampler(
        dataset, steps=needs.steps, batch_size=batch_size, seed=seed, share=share
    )
    return _Windows(dataset, needs, windows)


class _Frames:
    """Single rows."""

    def __init__(self, dataset: Dataset, needs: Needs, sampler: FrameSampler) -> None:
        self._dataset, self._needs, self._sampler = dataset, needs, sampler
        schema = dataset.info.schema
        named = {
            "observations": (schema.observation_column,),
            "states": ("state",) if schema.state else (schema.observation_column,),
            "labels": schema.labels,
        }
        self._columns = tuple(dict.fromkeys(c for field in needs.fields for c in named[field]))

    def batches(self, position: Position) -> Iterator[tuple[Samples, Position]]:
        for rows, after in frame_batches(self._dataset, self._sampler, position, self._columns):
            yield samples_of_rows(rows, self._dataset.info.schema, self._needs), after


class _Windows:
    """Windows of T steps; of one step without an axis of time."""

    def __init__(self, dataset: Dataset, needs: Needs, sampler: WindowSampler) -> None:
        self._dataset, self._needs, self._sampler = dataset, needs, sampler
        schema = dataset.info.schema
        wanted = {"state"} if {"states", "next_states"} & set(needs.fields) else set()
        wanted |= {"latent_std"} if {"deviations", "next_deviations"} & set(needs.fields) else set()
        self._columns = wanted | (set(schema.labels) if "labels" in needs.fields else set())

    def batches(self, position: Position) -> Iterator[tuple[Samples, Position]]:
        for windows, after in window_batches(self._dataset, self._sampler, position, self._columns):
            yield samples_of_windows(windows, self._dataset.info.schema, self._needs), after


def samples_of_rows(rows: Rows, schema: Schema, needs: Needs) -> Samples:
    """Return single samples [B, ...] of rows."""
    observations = rows.get(schema.observation_column)
    states = rows.get("state")
    if states is None and observes_vectors(schema):
        states = observations
    labels = _labels(rows, schema) if "labels" in needs.fields else None
    return _samples(needs, observations=observations, states=states, labels=labels)


def samples_of_windows(windows: Windows, schema: Schema, needs: Needs) -> Samples:
    """Return windows [B, T, ...], or [B, ...] where T is 1."""
    states = windows.observations if windows.states is None else windows.states
    labels = None
    if "labels" in needs.fields:
        labels = _labels(windows.labels, schema, windows.mask)[:, :-1]
    found: dict[str, Array | None] = {
        "observations": windows.observations[:, :-1],
        "next_observations": windows.observations[:, 1:],
        "states": states[:, :-1],
        "next_states": states[:, 1:],
        "actions": actions_of(windows.actions, schema.action),
        "labels": labels,
        "mask": windows.mask,
        "rewards": windows.rewards.astype(np.float32),
        "terminations": windows.terminated,
    }
    if windows.latent_std is not None:
        found |= {
            "deviations": windows.latent_std[:, :-1],
            "next_deviations": windows.latent_std[:, 1:],
        }
    if needs.steps == 1:
        found = {name: None if v is None else v[:, 0] for name, v in found.items()}
    return _samples(needs, **found)


def _samples(needs: Needs, **found: Array | None) -> Samples:
    """Return the fields that are needed, as tensors."""
    return Samples(
        **{
            name: _tensor(values, name)
            for name, values in found.items()
            if values is not None and name in needs.fields
        }
    )


def _tensor(values: Array, name: str) -> Tensor:
    if name in ("states", "next_states"):
        values = values.astype(np.float32, copy=False)
    return torch.from_numpy(np.ascontiguousarray(values))


def _labels(columns: Mapping[str, Array], schema: Schema, mask: Array | None = None) -> Array:
    """Return labels [..., K] as float32; refuse one that is missing where a step was lived."""
    labels = np.stack([columns[name] for name in schema.labels], axis=-1).astype(np.float32)
    unknown = np.isnan(labels)
    if mask is not None:
        unknown = unknown[:, :-1] & mask[:, :, None]
    if unknown.any():
        name = schema.labels[int(np.argwhere(unknown)[0, -1])]
        raise ConfigurationError(
            f"label {name!r} has no value at some observations of the dataset, and cannot be "
            "learnt; collect it throughout, or choose another --model"
        )
    return labels


def actions_of(actions: Array, space: ActionSpace) -> Array:
    """Return choices [...] that begin at 0, or numbers [..., A] as float32."""
    if space.kind == CHOICES:
        return actions.astype(np.int64) - space.start
    leading = actions.shape[: actions.ndim - len(space.shape)]
    return actions.reshape(*leading, -1).astype(np.float32)
