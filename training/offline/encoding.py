"""A dataset with observations replaced by what an encoder makes of them.

Episodes are dealt to outer shards, and those of one to its files. An episode is encoded by itself,
in chunks of one size: so its latents are the same bits whoever encodes it, and beside which others.
Encoding again goes on: episodes that are in the new dataset are passed over.
"""

import logging
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import UnexpectedObservationError
from configs.errors import STOPPED_EXIT_CODE, CheckpointError, ConfigurationError
from configs.loading import LoadedConfig
from training.checkpoints.encoder import ENCODER, TrainedEncoder, load_encoder
from training.folders.files import storage_error
from training.folders.last_word import leave_last_word
from training.folders.lock import acquire_lock, release_lock
from training.folders.versions import collect_versions
from training.live.console import final_message, set_up_logging
from training.live.encoding_progress import EncodingProgress
from training.loop.stop_request import StopRequest
from training.offline.datasets import environment_of, open_datasets, same_environment
from training.offline.options import EncodingOptions
from training.offline.shapes import check_frames, frames_of_schema, state_size
from training.ranks.distributed import Place, choose_device, read_place
from training.ranks.threads import model_threads, set_threads
from trajectories.episode import Array, Episode
from trajectories.files import PART_PREFIX
from trajectories.manifest import MANIFEST, Description, EpisodeEntry, part_paths, read_part
from trajectories.reader import Dataset
from trajectories.schema import Schema
from trajectories.writer import ShardWriter, check_agrees
from workers.processes.early_signals import hear_interrupts

CHUNK = 256  # observations that are encoded at once
# A part's files are cut by their number, not by their size.
NO_LIMIT = 1 << 62

_LOG = logging.getLogger(__name__)


def encode(options: EncodingOptions, loaded: LoadedConfig) -> int:
    """Encode as one of the ranks, which know nothing of each other; return the exit code.

    Raises:
        ScoutError: the model or the dataset is refused, or the disk is full.
    """
    stop = StopRequest()
    stop.install()
    hear_interrupts()
    try:
        return _encode(options, loaded, stop)
    finally:
        stop.release()


def _encode(options: EncodingOptions, loaded: LoadedConfig, stop: StopRequest) -> int:
    place = read_place()
    device = choose_device(place, options.gpu_id)
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    set_threads(device, model_threads(loaded.config.run, place))
    trained = load_encoder(options.model)
    dataset = _chosen(options)
    check_fit(trained, dataset)
    trained.encoder.to(device)
    shards = _own_shards(options, place)
    with EncodingProgress(
        sum(len(part) for part in shards_of(len(dataset), options.num_outer_shards, shards)),
        is_silent=place.rank != 0,
    ) as progress:
        for shard in shards:
            job = ShardJob(options, trained, dataset, shard, place)
            if not job.run(stop, progress.count):
                return _say(STOPPED_EXIT_CODE, options, place, stop)
    return _say(0, options, place, stop)


def _say(code: int, options: EncodingOptions, place: Place, stop: StopRequest) -> int:
    """Say how it ended, on the first rank; return the code."""
    text = f"done: encoded into {options.out_dir}"
    if code:
        text = (
            f"stopped on request ({stop.signal_name}); whole episodes are in {options.out_dir}, "
            "the same command goes on"
        )
    if place.rank == 0:
        leave_last_word(code, text)
        final_message(text)
    return code


def _chosen(options: EncodingOptions) -> Dataset:
    dataset = open_datasets(options.dataset)
    return dataset if options.split is None else dataset.split(options.split)


def check_fit(trained: TrainedEncoder, dataset: Dataset) -> None:
    """Refuse an encoder that was trained on something else than the dataset holds.

    Raises:
        CheckpointError: it is of another environment.
        ConfigurationError: the dataset lacks what the encoder sees, or holds it in another form.
    """
    schema, encoder = dataset.info.schema, trained.encoder
    if not same_environment(trained.environment_id, environment_of(dataset)):
        raise CheckpointError(
            f"{trained.path}: is an encoder of {trained.environment_id}, but {dataset.folder} "
            f"holds rollouts of {environment_of(dataset)}; train one for that environment"
        )
    if encoder.observes == "states":
        _check_states(trained, dataset)
        return
    if len(schema.observation_shape) == 3 and schema.latent is None:
        check_frames(dataset)
    frames = frames_of_schema(schema)
    if frames is None:
        raise ConfigurationError(
            f"{dataset.folder} holds no frames (its observations are of shape "
            f"{schema.observation_shape}), which {trained.path} encodes"
        )
    if frames.shape != encoder.preprocessing.shape:
        raise ConfigurationError(
            f"{dataset.folder} holds frames of shape {frames.shape}, but {trained.path} was "
            f"trained on {encoder.preprocessing.shape}; collect them in that size"
        )
    trained_on = encoder.preprocessing.facts["dtype"]
    if schema.observation_dtype != trained_on:
        raise ConfigurationError(
            f"{dataset.folder} holds frames of type {schema.observation_dtype}, but {trained.path} "
            f"was trained on {trained_on}; collect with --background median, or without it, as then"
        )


def _check_states(trained: TrainedEncoder, dataset: Dataset) -> None:
    """Refuse states of other numbers than those that an encoder of states was trained on."""
    schema, (wanted,) = dataset.info.schema, trained.encoder.preprocessing.shape
    size = state_size(schema)
    if not size:
        raise ConfigurationError(f"{dataset.folder} holds no states, which {trained.path} encodes")
    names = trained.dataset.get("schema", {}).get("state", list(schema.state))
    if size != wanted or list(schema.state) != names:
        raise ConfigurationError(
            f"{dataset.folder} holds states of {size} numbers ({_listed(schema.state)}), but "
            f"{trained.path} was trained on {wanted} ({_listed(names)}); collect these, or train "
            "an encoder of those"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "without names"


def _own_shards(options: EncodingOptions, place: Place) -> list[int]:
    """Return the outer shards of this process.

    Raises:
        ConfigurationError: one is asked for, and there are several ranks.
    """
    if options.outer_shard_index is None:
        return list(range(place.rank, options.num_outer_shards, place.world_size))
    if place.world_size > 1:
        raise ConfigurationError(
            "--outer_shard_index belongs to a process by itself; under torchrun each rank has its "
            "own, leave the flag out"
        )
    return [options.outer_shard_index]


def shards_of(num_episodes: int, count: int, indices: Sequence[int]) -> list[range]:
    """Return which episodes each of the outer shards holds: runs of about the same length."""
    edges = [index * num_episodes // count for index in range(count + 1)]
    return [range(edges[index], edges[index + 1]) for index in indices]


class ShardJob:
    """One outer shard: its episodes into its files.

    Args:
        options: what was asked for.
        trained: the encoder, on its device.
        dataset: all episodes that are encoded.
        index: of the outer shard.
        place: this process.
    """

    def __init__(
        self,
        options: EncodingOptions,
        trained: TrainedEncoder,
        dataset: Dataset,
        index: int,
        place: Place,
    ) -> None:
        self._options = options
        self._trained = trained
        self._dataset = dataset
        self._index = index
        self._place = place
        self._name = f"{options.out_name}-{index:05d}-of-{options.num_outer_shards:05d}"
        self._schema = encoded_schema(dataset.info.schema, trained.encoder)
        self._description = encoded_description(dataset.info.description, trained)

    def run(self, should_stop: Callable[[], bool], count: Callable[[int], None]) -> bool:
        """Encode what is not there yet; return whether all is there now.

        Args:
            should_stop: asked before each episode.
            count: told the observations of each episode that is done, 0 where it was there.

        Raises:
            ScoutError: as `encode`.
        """
        options = self._options
        (own,) = shards_of(len(self._dataset), options.num_outer_shards, [self._index])
        files = shards_of(len(own), options.num_sub_shards, range(options.num_sub_shards))
        with _locked(options.out_dir, self._name):
            there = self._episodes_there()
            writer: ShardWriter | None = None
            for part in files:
                for place in part:
                    entry = self._dataset.episodes[own[place]].entry
                    if entry.length == 0:  # of older writers; there is nothing to learn from
                        count(entry.num_rows)
                        continue
                    if entry.id in there:
                        self._check_same(entry, there[entry.id])
                        count(0)
                        continue
                    if should_stop():
                        if writer is not None:
                            writer.close()
                        return False
                    writer = writer or self._open()
                    writer.add(self._encoded(own[place]))
                    count(entry.num_rows)
                if writer is not None:
                    writer.flush()
            if writer is not None:
                writer.close()
        return True

    def _check_same(self, entry: EpisodeEntry, there: EpisodeEntry) -> None:
        """Refuse an episode that another one of its name has been encoded from.

        Names are a seed and a number, so that datasets collected anew have the old ones again.
        """
        told = [(e.length, f"{e.total_reward:.9g}", dict(e.values)) for e in (entry, there)]
        if told[0] != told[1]:
            raise ConfigurationError(
                f"{self._options.out_dir} holds an episode {entry.id} of {there.length} steps and "
                f"return {there.total_reward:g}, and that of {self._dataset.folder} has "
                f"{entry.length} and {entry.total_reward:g}: it was encoded from another dataset; "
                "encode into another directory"
            )

    def _episodes_there(self) -> dict[str, EpisodeEntry]:
        """Return the episodes that this encoder has encoded; none where there is no dataset yet.

        Raises:
            ConfigurationError: the dataset that is there is another encoder's, or not encoded.
        """
        folder = self._options.out_dir
        if not (folder / MANIFEST).exists():
            return {}
        info = check_agrees(folder, self._schema, self._description)
        parts = (read_part(path, info) for path in part_paths(folder))
        return {e.id: e for part in parts for shard in part.shards for e in shard.episodes}

    def _open(self) -> ShardWriter:
        return ShardWriter(
            self._options.out_dir,
            self._schema,
            self._description,
            self._name,
            provenance={
                "command": shlex.split(self._options.command_line),
                "encoder": str(self._trained.path),
                "dataset": self._dataset.info.id,
                "threads": torch.get_num_threads(),
                "versions": collect_versions(),
            },
            shard_size=NO_LIMIT,
        )

    def _encoded(self, index: int) -> Episode:
        """Return an episode with latents in the place of its observations."""
        episode = self._dataset.episode(index)
        try:
            mean, deviation = latents_of(self._trained.encoder, self._seen(episode))
        except UnexpectedObservationError as error:
            raise ConfigurationError(
                f"{self._dataset.folder}: episode {episode.id}: {error}"
            ) from error
        return replace(episode, observations=mean, latent_std=deviation)

    def _seen(self, episode: Episode) -> Array:
        if self._trained.encoder.observes == "observations":
            return episode.observations
        states = episode.observations if episode.states is None else episode.states
        return states.astype(np.float32)


def encoded_description(description: Description, trained: TrainedEncoder) -> Description:
    """Return the description of the encoded dataset: it names the encoder."""
    encoder = {
        "digest": trained.digest,
        "model": trained.model,
        "steps": trained.steps,
        "observes": trained.encoder.observes,
    }
    return replace(description, facts={**description.facts, ENCODER: encoder})


def encoded_schema(schema: Schema, encoder: Encoder) -> Schema:
    """Return the schema of the encoded dataset."""
    with torch.no_grad():
        shape = encoder.preprocessing.shape
        frames = frames_of_schema(schema)
        kind = torch.float32
        if encoder.observes == "observations" and frames is not None:
            kind = torch.uint8 if schema.observation_dtype == "uint8" else torch.float32
        device = next(iter(encoder.state_dict().values())).device
        latents, _ = encoder.latents(torch.zeros((1, *shape), dtype=kind, device=device))
    return replace(
        schema,
        observation_shape=(encoder.feature_size,),
        observation_dtype="float32",
        latent="point" if latents.deviation is None else "gaussian",
    )


@torch.no_grad()
def latents_of(encoder: Encoder, observations: Array) -> tuple[Array, Array | None]:
    """Return the features [n, D] of an episode's observations [n, ...], and their deviations.

    An encoder with a memory begins the episode without one.
    """
    device = next(iter(encoder.state_dict().values())).device
    seen = torch.from_numpy(np.array(observations))  # a copy: those that were read are read-only
    if encoder.initial_memory(1) is not None:
        features = encoder.encode_sequence(seen.unsqueeze(0).to(device))[0]
        return _array(features), None
    parts = [encoder.latents(chunk.to(device))[0] for chunk in seen.split(CHUNK)]
    mean = _array(torch.cat([part.mean for part in parts]))
    deviations = [part.deviation for part in parts if part.deviation is not None]
    return mean, _array(torch.cat(deviations)) if deviations else None


def _array(values: torch.Tensor) -> Array:
    found: Array = values.float().cpu().numpy()
    return found


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Keep other processes from the same outer shard; remove what one that was killed left open.

    Raises:
        ConfigurationError: one is at it.
        StorageError: the folder cannot be written.
    """
    path = folder / f"{PART_PREFIX}{name}.lock"  # no file of the dataset, should it be left
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write", str(folder))
        lock = acquire_lock(path, f"part {name} of {folder}", "wait for it, or do another part")
        for left in folder.glob(f"{PART_PREFIX}{name}[.-]*"):
            if left != path:
                left.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        yield
    finally:
        release_lock(lock, path)
