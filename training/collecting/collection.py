"""One collection, from the first signal handler to the last word."""

import functools
import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NoReturn

import torch

from agents.ranks import Ranks
from configs.errors import STOPPED_EXIT_CODE, ConfigurationError, ScoutError, StorageError
from configs.loading import LoadedConfig
from configs.schema import Config
from configs.sizes import bytes_text
from configs.typed import typed
from training.building.seeding import stream_seed
from training.collecting.choosing import Choice, choose_policy
from training.collecting.claims import Claims, claim
from training.collecting.numbering import environment_seed, episode_id
from training.collecting.options import CollectOptions
from training.collecting.playing import Tally, play_numbers
from training.collecting.policies import Policy
from training.folders.last_word import leave_last_word
from training.folders.versions import collect_versions, software_versions
from training.live.collecting_progress import CollectingProgress, NullCollectingProgress
from training.live.console import final_message, set_up_logging, start_banner
from training.loop.last_words import leave_unbegun
from training.loop.stop_request import StopRequest
from training.ranks.agreement import check_same_start, on_first_rank
from training.ranks.distributed import Place, peer_errors, process_group, read_place
from training.ranks.threads import learner_threads, set_threads
from training.recording.describing import (
    as_told_in,
    describe,
    episode_of,
    schema_from_spec,
    schema_told_in,
)
from training.recording.recorder import Lived
from training.recording.writing import WritingThread
from trajectories.episode import Value
from trajectories.manifest import MANIFEST, Description
from trajectories.schema import Schema
from trajectories.writer import ShardWriter, check_agrees
from workers.environment_pool import EnvironmentPool
from workers.opening import Sizes, open_pool
from workers.processes.early_signals import hear_interrupts

CPU = torch.device("cpu")
LONGEST_WAIT = 30 * 24 * 3600.0  # seconds that a rank waits for those that have more to collect


@dataclass(frozen=True)
class _Job:
    """What all steps of a collection need to know."""

    options: CollectOptions
    place: Place
    stop: StopRequest
    choice: Choice
    seed: int


def collect(options: CollectOptions, loaded: LoadedConfig) -> int:
    """Collect as one of the ranks; return the exit code.

    Raises:
        ScoutError: with the message for the user; what was collected before is whole.
    """
    stop = StopRequest()
    stop.install()
    hear_interrupts()
    run = loaded.config.run
    try:
        place = read_place()
        set_up_logging(place.rank, place.world_size, verbose=run.verbose_logging)
        set_threads(CPU, learner_threads(loaded.config, place))
        with ExitStack() as stack:
            with stop.leaving_at_once(functools.partial(leave_unbegun, place)):
                group = process_group(place, CPU, run.start_timeout, LONGEST_WAIT)
                elsewhere = stack.enter_context(group)
            stack.enter_context(peer_errors(place, elsewhere))
            return _collect(options, loaded, place, stop)
    finally:
        stop.release()


def _collect(options: CollectOptions, loaded: LoadedConfig, place: Place, stop: StopRequest) -> int:
    ranks = Ranks(CPU)
    check_same_start(ranks, loaded.config, software_versions(), _flags(options))
    choice = choose_policy(
        options.policy, loaded, place, gpu_id=options.gpu_id, greedy=options.greedy
    )
    _check_size(options, choice.config)
    config = _for_collecting(choice.config)
    job = _Job(options, place, stop, choice, config.run.seed)
    with _open_environments(job, config) as pool:
        schema = schema_told_in(options.out_dir, schema_from_spec(pool.spec, options.background))
        policies = [choice.make(pool.spec) for _ in range(pool.num_environments)]
        began = time.monotonic()
        with _claim(job, ranks) as claims:
            description = _description(job, config, pool)
            on_first_rank(ranks, lambda: _check_directory(job, schema, description))
            tally, num_bytes = Tally(), 0
            if claims.numbers:
                writer = _open_writer(job, schema, description, claims.numbers[0])
                _say_start(job, pool, claims, loaded.notes)
                claims.has_begun = True
                try:
                    with WritingThread(writer) as thread:
                        tally = _play(job, pool, policies, claims.numbers, thread, schema)
                except ScoutError as error:
                    claims.has_begun = writer.num_episodes > 0
                    if isinstance(error, StorageError):
                        raise type(error)(f"{error}; {_how_to_go_on(job)}") from None
                    raise
                num_bytes = writer.num_bytes
            is_complete = tally.episodes == len(claims.numbers)
            if is_complete:
                _wait_for_others(job, ranks)
            claims.is_complete = is_complete
    return _say_end(job, claims, tally, num_bytes, time.monotonic() - began)


def _play(
    job: _Job,
    pool: EnvironmentPool,
    policies: Sequence[Policy],
    numbers: Sequence[int],
    thread: WritingThread,
    schema: Schema,
) -> Tally:
    """Play the episodes and bring them to the thread, unless a stop is asked for."""

    def take(number: int, lived: Lived) -> None:
        values: dict[str, Value] = {
            "id": episode_id(job.seed, number),
            "number": number,
            "run_seed": job.seed,
            "seed": environment_seed(job.seed, number),
            "policy": job.choice.name,
        }
        make = functools.partial(episode_of, lived, schema, job.options.background, values)
        thread.put(make, lived.num_bytes)

    with _progress(job, len(numbers)) as progress:

        def go_on(tally: Tally) -> bool:
            progress.update(tally.episodes, tally.env_steps, thread.num_bytes)
            return not job.stop()

        return play_numbers(pool, policies, numbers, job.seed, take, go_on)


def _flags(options: CollectOptions) -> dict[str, str]:
    """Return what is no key of the recipe and must be the same on all ranks."""
    return {
        "--policy": options.policy,
        "--out_dir": str(options.out_dir),
        "--out_name": options.out_name,
        "--background": str(options.background),
        "--num_rollouts and the like": str(options.asked),
    }


def _check_size(options: CollectOptions, config: Config) -> None:
    """Refuse a size of frames where there are none.

    Raises:
        ConfigurationError: the environments show vectors.
    """
    if options.observation_size is not None and not config.observes_pixels:
        raise ConfigurationError(
            f"--observation_size {options.observation_size} is that of frames, and "
            f"{config.environment.env_id} shows a vector: set ObservationType = pixels, or leave "
            "it out"
        )


def _for_collecting(config: Config) -> Config:
    """Return the configuration under which a lost life ends no episode, and actions are raw.

    So episodes are whole games, and what is stored is in the environment's own units.
    """
    environment = config.environment.model_copy(
        update={"life_done": False, "action_mapping": "clip"}
    )
    return config.model_copy(update={"environment": environment})


def _open_environments(job: _Job, config: Config) -> EnvironmentPool:
    """Start this rank's environments.

    Raises:
        ConfigurationError: their episodes may never end.
    """
    options = job.options
    most = options.asked.num_rollouts
    sizes = Sizes(
        num_environments=min(options.parallelism or job.place.cores, most),
        num_groups=1,
        base_seed=stream_seed(job.seed, "collecting environments"),
        first_index=0,
        num_workers=options.num_workers,
        cores=job.place.cores,
        made_alike=True,
    )
    pool = open_pool(config, sizes, with_states=True)
    if pool.spec.max_episode_steps is None:
        pool.close()
        raise ConfigurationError(
            f"the episodes of {pool.spec.env_id} have no limit: give --max_steps"
        )
    return pool


def _claim(job: _Job, ranks: Ranks) -> Claims:
    """Claim episodes on rank 0; return this rank's share of them, held by rank 0 alone."""
    options = job.options
    held = on_first_rank(ranks, lambda: claim(options.out_dir, job.seed, options.asked))
    claims = held or Claims(options.out_dir)
    facts = json.dumps([claims.numbers, claims.num_done])
    numbers, claims.num_done = json.loads(ranks.broadcast_bytes(facts.encode()))
    claims.numbers = numbers[ranks.rank :: ranks.world_size]
    return claims


def _description(job: _Job, config: Config, pool: EnvironmentPool) -> Description:
    """Return what the episodes share, in the words of the dataset that they are added to."""
    policy, background = job.choice.name, job.options.background
    longest = pool.spec.max_episode_steps
    return as_told_in(
        job.options.out_dir, describe(config.environment, policy, background, longest)
    )


def _check_directory(job: _Job, schema: Schema, description: Description) -> None:
    """Refuse a dataset of other episodes, also where nothing is left to collect."""
    folder = job.options.out_dir
    if (folder / MANIFEST).exists():
        check_agrees(folder, schema, description)


def _open_writer(
    job: _Job, schema: Schema, description: Description, first_number: int
) -> ShardWriter:
    options = job.options
    provenance = {
        "command": options.command_line,
        "host": socket.gethostname(),
        "rank": job.place.rank,
        "world_size": job.place.world_size,
        "run_seed": job.seed,
        "first_number": first_number,
        "versions": collect_versions(),
    }
    return ShardWriter(
        options.out_dir,
        schema,
        description,
        f"{options.out_name}-{first_number}",
        provenance=provenance,
        shard_size=options.shard_megabytes * 1_000_000,
    )


def _wait_for_others(job: _Job, ranks: Ranks) -> None:
    """Wait until all ranks are done: torchrun ends all of them when one leaves with an error."""
    with job.stop.leaving_at_once(functools.partial(_leave_done, job)):
        ranks.any(flag=False)


def _leave_done(job: _Job, signal_name: str) -> NoReturn:
    """End at once: this rank waits for others, in C, and has written all that is its own."""
    leave_last_word(STOPPED_EXIT_CODE, f"stopped on request ({signal_name}); {_how_to_go_on(job)}")
    os._exit(STOPPED_EXIT_CODE)


def _progress(job: _Job, num_episodes: int) -> CollectingProgress | NullCollectingProgress:
    place = job.place
    if place.rank:
        return NullCollectingProgress()
    return CollectingProgress(
        num_episodes, f"rank 0 of {place.world_size}" if place.world_size > 1 else ""
    )


def _say_start(job: _Job, pool: EnvironmentPool, claims: Claims, notes: Sequence[str]) -> None:
    if job.place.rank:
        return
    numbers, ranks = claims.numbers, job.place.world_size
    there = f"; {claims.num_done:,} are there" if claims.num_done else ""
    beside = f" on each of {ranks} ranks" if ranks > 1 else ""
    most = "at most " if ranks > 1 else ""
    rows = [
        (
            "environment",
            f"{pool.spec.env_id}, {pool.num_environments} at once{beside}, {pool.place}",
        ),
        ("policy", job.choice.name),
        (
            "episodes",
            f"{most}{len(numbers):,}{beside}, from number {numbers[0]:,}{there}; seed {job.seed}",
        ),
        ("written to", f"{job.options.out_dir}"),
        *(("note", note) for note in (*claims.notes, *notes)),
    ]
    start_banner(rows)


def _say_end(job: _Job, claims: Claims, tally: Tally, num_bytes: int, seconds: float) -> int:
    """Say how it ended; return the exit code."""
    folder = job.options.out_dir
    missing = len(claims.numbers) - tally.episodes
    figures = f"{tally.frames:,} frames, {bytes_text(num_bytes)}, {seconds:,.1f} s"
    whose = f" of rank {job.place.rank}" if job.place.world_size > 1 else ""
    if missing:
        code, text = (
            STOPPED_EXIT_CODE,
            f"stopped on request ({job.stop.signal_name}) after {tally.episodes:,} of "
            f"{len(claims.numbers):,} episodes{whose}, which are in {folder}; {_how_to_go_on(job)}",
        )
    elif claims.numbers:
        code, text = 0, f"done: {tally.episodes:,} episodes{whose} in {folder} ({figures})"
    elif claims.notes:
        notes = "; ".join(claims.notes)
        code, text = 0, f"done: nothing in {folder} is left for this process to collect; {notes}"
    else:
        code, text = 0, f"done: all {claims.num_done:,} episodes are in {folder} already"
    leave_last_word(code, text)
    if job.place.rank == 0 or missing:
        final_message(text)
    return code


def _how_to_go_on(job: _Job) -> str:
    return f"the same command with {typed('--resume')} collects the rest"
