"""One training run, from the first signal handler to the last word."""

import functools
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from agents.ranks import Ranks
from configs.errors import STOPPED_EXIT_CODE
from configs.loading import LoadedConfig
from configs.schema import Config
from training.algorithm import Algorithm
from training.building.custom_source import digest_of
from training.building.precision import settle_precision, warn_if_settled_otherwise
from training.checkpoints.continuation import (
    Start,
    agree_on_start,
    check_free,
    check_load_flags,
    discard_replaced,
    source_bytes,
)
from training.checkpoints.storage import Payload, unpack
from training.folders.files import storage_error
from training.folders.lost_runs import warn_of_loss
from training.folders.run_folder import RunFolder
from training.folders.versions import software_versions
from training.live.console import set_up_logging
from training.loop.among_ranks import among_ranks
from training.loop.last_words import (
    say_how_it_ended,
    say_it_ends_now,
)
from training.loop.stop_request import StopRequest
from training.loop.trainer import Outcome
from training.loop.watching import watched
from training.options import RunOptions
from training.parts import Parts
from training.ranks.agreement import check_same_start, on_first_rank
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import (
    choose_device,
    read_place,
)
from training.ranks.threads import learner_threads, set_threads
from training.session import Session
from workers.environment_pool import EnvironmentPool
from workers.processes.early_signals import hear_interrupts
from workers.profilers.profiling import followed_by_profilers, profiled

LINE_TIMES = "line_times"  # in the run's folder, where LINE_PROFILE=1 asks for them


def train(options: RunOptions, loaded: LoadedConfig, algorithm: Algorithm) -> int:
    """Train as one of the ranks; return the exit code.

    Raises:
        ScoutError: with the message for the user; the run's status.json says the same.
    """
    stop = StopRequest()
    stop.install()
    hear_interrupts()
    try:
        return _train(options, loaded, algorithm, stop)
    finally:
        stop.release()


def _train(
    options: RunOptions, loaded: LoadedConfig, algorithm: Algorithm, stop: StopRequest
) -> int:
    check_load_flags(options, loaded)
    place = read_place()
    session = Session(place, choose_device(place, options.gpu_id))
    run = loaded.config.run
    set_up_logging(place.rank, place.world_size, verbose=run.verbose_logging)
    keep_freed_memory()
    with among_ranks(session, run, stop):
        outcome = _train_in_group(session, options, loaded, algorithm, stop)
    return 0 if outcome is Outcome.DONE else STOPPED_EXIT_CODE


def _flags(session: Session, options: RunOptions, config: Config) -> dict[str, str]:
    """Return what is no key of the recipe and must be the same on all ranks."""
    return {
        "device": session.device.type,
        "--profile_updates": str(options.profile_updates),
        "--pytorch_profiling": str(options.pytorch_profiling),
        "file of CustomModel": digest_of(config),
    }


def _train_in_group(
    session: Session,
    options: RunOptions,
    loaded: LoadedConfig,
    algorithm: Algorithm,
    stop: StopRequest,
) -> Outcome:
    ranks = Ranks(session.device)
    loaded = settle_precision(loaded, session.device, session.place, ranks)
    set_threads(session.device, learner_threads(loaded.config, session.place))
    check_same_start(
        ranks, loaded.config, software_versions(), _flags(session, options, loaded.config)
    )
    start = agree_on_start(ranks, options)
    folder = RunFolder(start.options.logs, start.options.log_name)
    parts = algorithm.look(Parts(session, folder, start.options, loaded, ranks, stop), start)
    # The environments end before the run's name is free again.
    with ExitStack() as lock, ExitStack() as stack:
        stack.enter_context(followed_by_profilers(folder.path / LINE_TIMES / f"rank{ranks.rank}"))
        ready = None
        if start.mode == "overwrite":
            # Neither a source that is refused, nor environments or a model that cannot be built,
            # may cost the run that is to be replaced.
            ready = _prepare(parts, start, algorithm, stack)
            ranks.any(flag=False)
        opened = on_first_rank(
            ranks,
            lambda: RunFolder.open(
                start.options.logs,
                start.options.log_name,
                mode=start.mode,
                checkpoint=start.options.save_model_path if start.mode == "overwrite" else None,
            ),
        )
        session.folder = opened or folder
        session.source, session.is_resumed = start.source, start.mode == "resume"
        if opened is not None:
            lock.enter_context(opened)
            warn_of_loss(opened)
        stop.last_words = functools.partial(say_it_ends_now, session)
        on_first_rank(ranks, lambda: discard_replaced(start))
        with watched(session, loaded.config.run) as watchdog:

            def should_stop() -> bool:
                watchdog.kick()
                return stop()

            parts, payload, pool = ready or _prepare(parts, start, algorithm, stack)
            parts = replace(parts, folder=session.folder, stop=should_stop)
            on_first_rank(ranks, lambda: _take_checkpoint(opened, start))
            run = algorithm.assemble(parts, payload, pool, stack)
            ready = payload = None  # it is laid out, and may hold a replay buffer
            with profiled():
                outcome = run()
            replaced = int(ranks.sum(torch.tensor(pool.worker_restarts)).item())
    if ranks.rank == 0:
        say_how_it_ended(session, outcome, stop, workers_replaced=replaced)
    # torchrun stops all ranks as soon as one leaves; nobody leaves before all is written.
    stop.ignore_signals()
    ranks.any(flag=False)
    return outcome


def _prepare(
    parts: Parts, start: Start, algorithm: Algorithm, stack: ExitStack
) -> tuple[Parts, Payload | None, EnvironmentPool]:
    """Load what the run continues from, if anything, and start this rank's environments."""
    payload = _load_everywhere(parts.ranks, start, parts.config)
    if payload is None:
        return parts, None, stack.enter_context(algorithm.open_pool(parts, 0))
    if parts.ranks.rank == 0 and start.source is not None:
        warn_if_settled_otherwise(parts.loaded, payload["facts"], start.source)
    parts = algorithm.follow(parts, start, payload)
    pool = stack.enter_context(algorithm.open_pool(parts, int(payload["env_steps"])))
    return parts, payload, pool


def _take_checkpoint(folder: RunFolder | None, start: Start) -> None:
    """Keep other runs from the checkpoint, once nothing is refused that would leave it alone."""
    assert folder is not None  # it is rank 0's
    if start.mode == "overwrite":
        return  # it was taken before the run was replaced
    try:
        folder.lock_checkpoint(start.options.save_model_path)
    except OSError as error:  # of the lock's file, perhaps: another user's run may have left it
        path = Path(error.filename or start.options.save_model_path)
        raise storage_error(path, error) from error
    if start.mode == "fresh":  # another run may have come and gone
        check_free(start.options.save_model_path)


def _load_everywhere(ranks: Ranks, start: Start, wanted: Config) -> Payload | None:
    """Read the checkpoint on rank 0 and give it to all ranks, which may not see its disk.

    Raises:
        CheckpointError: where it cannot be read or does not fit the configuration.
    """
    if start.source is None:
        return None
    data = on_first_rank(ranks, lambda: source_bytes(start, wanted))
    return unpack(ranks.broadcast_bytes(data or b""))
