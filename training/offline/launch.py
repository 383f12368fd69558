"""One training on a dataset, from the first signal handler to the last word."""

import functools
from collections.abc import Mapping
from contextlib import ExitStack

from agents.ranks import Ranks
from configs.errors import STOPPED_EXIT_CODE
from configs.loading import LoadedConfig
from training.building.precision import settle_precision, warn_if_settled_otherwise
from training.folders.lost_runs import warn_of_loss
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
from training.offline.assembly import Ingredients, assemble, gather
from training.offline.clock import StepClock
from training.offline.continuation import Start, agree_on_start, load_everywhere
from training.offline.datasets import check_environment, open_datasets
from training.offline.model_folder import ModelFolder
from training.offline.options import OfflineOptions
from training.offline.spec import Trained
from training.ranks.agreement import check_same_start, on_first_rank
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import (
    choose_device,
    read_place,
)
from training.ranks.threads import model_threads, set_threads
from training.session import Session
from workers.processes.early_signals import hear_interrupts


def train_offline(options: OfflineOptions, loaded: LoadedConfig, trained: Trained) -> int:
    """Train as one of the ranks; return the exit code.

    Raises:
        ScoutError: with the message for the user; the model's status.json says the same.
    """
    stop = StopRequest()
    stop.install()
    hear_interrupts()
    try:
        return _train(options, loaded, trained, stop)
    finally:
        stop.release()


def _train(
    options: OfflineOptions, loaded: LoadedConfig, trained: Trained, stop: StopRequest
) -> int:
    place = read_place()
    session = Session(place, choose_device(place, options.gpu_id), clock=StepClock())
    run = loaded.config.run
    set_up_logging(place.rank, place.world_size, verbose=run.verbose_logging)
    keep_freed_memory()
    with among_ranks(session, run, stop):
        outcome = _train_in_group(session, options, loaded, trained, stop)
    return 0 if outcome is Outcome.DONE else STOPPED_EXIT_CODE


def _train_in_group(
    session: Session,
    options: OfflineOptions,
    loaded: LoadedConfig,
    trained: Trained,
    stop: StopRequest,
) -> Outcome:
    ranks = Ranks(session.device)
    loaded = settle_precision(loaded, session.device, session.place, ranks)
    set_threads(session.device, model_threads(loaded.config.run, session.place))

    def prepared() -> Ingredients:
        dataset = open_datasets(options.dataset)
        check_environment(dataset, options.environment)
        return gather(options, loaded, trained, session, ranks, dataset)

    made = on_first_rank(ranks, prepared) or prepared()  # said once where it is refused
    check_same_start(ranks, loaded.config, software_versions(), _flags(made))
    start = agree_on_start(ranks, options)
    payload = load_everywhere(ranks, start, made.facts, trained.fixed)
    if ranks.rank == 0 and start.source is not None and payload is not None:
        warn_if_settled_otherwise(loaded, payload["facts"], start.source)
    folder = ModelFolder.at(options.model_dir)
    with ExitStack() as lock, ExitStack() as stack:
        opened = on_first_rank(ranks, lambda: _open(folder, start))
        session.folder = opened or folder
        session.source, session.is_resumed = start.source, start.mode == "resume"
        if opened is not None:
            lock.enter_context(opened)
            warn_of_loss(opened)
        stop.last_words = functools.partial(say_it_ends_now, session)
        with watched(session, loaded.config.run) as watchdog:

            def should_stop() -> bool:
                watchdog.kick()
                return stop()

            trainer = assemble(made, folder, payload, stack, should_stop)
            outcome = trainer.run()
    if ranks.rank == 0:
        say_how_it_ended(session, outcome, stop)
    # torchrun stops all ranks as soon as one leaves; nobody leaves before all is written.
    stop.ignore_signals()
    ranks.any(flag=False)
    return outcome


def _open(folder: ModelFolder, start: Start) -> ModelFolder:
    return ModelFolder.open(folder.path.parent, folder.path.name, mode=start.mode)


def _flags(made: Ingredients) -> Mapping[str, str]:
    """Return what is no key of the recipe and must be the same on all ranks."""
    return {"device": made.session.device.type, "--dataset": made.dataset.digest}
