"""From options, a configuration and a dataset to a trainer: all parts of training put together."""

import json
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch

from agents.encoders.objective import Objective
from agents.ranks import Ranks
from configs.errors import ConfigurationError
from configs.loading import LoadedConfig, dump_config, render_conf
from configs.typed import typed
from training.building.notes import crowded_cores
from training.building.seeding import make_generator, stream_seed
from training.checkpoints.payload_form import laid_out
from training.checkpoints.storage import Payload, Saver
from training.figures.curve_pages import Pages, versions_page
from training.figures.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.figures.tracking import track_with_wandb
from training.folders.versions import collect_versions
from training.live.banner import rows_of_sources
from training.live.console import start_banner
from training.live.progress import NullProgress, Progress, ProgressReporter
from training.offline.continuation import notes_on
from training.offline.datasets import environment_of, facts_of
from training.offline.evidence import StepEvidence
from training.offline.loader import Loader, on_device
from training.offline.model_folder import ModelFolder
from training.offline.options import OfflineOptions
from training.offline.run_state import OfflineState, as_text
from training.offline.run_state import Progress as Done
from training.offline.samples import open_source
from training.offline.showing import AXES, Showing
from training.offline.spec import Schedule, Trained
from training.offline.steps import Steps
from training.offline.trainer import OfflineTrainer
from training.offline.validation import Validation, held_out
from training.ranks.restarts import launcher
from training.session import Session
from trajectories.memory import in_memory
from trajectories.reader import Dataset
from trajectories.sampling import Position, Share
from workers.processes.free_memory import available_memory

VALIDATION = "validation"  # the split that is held out
MEMORY_SHARE = 0.5  # of the free memory that decoded datasets of a machine's ranks may take
FITTED = 512  # samples that statistics of the data are taken from


@dataclass(frozen=True)
class Ingredients:
    """What all parts are made from.

    Attributes:
        options, loaded, trained: what was asked for.
        session, ranks: this process and all others.
        dataset: the episodes that are trained on.
        validation: those that are held out, if there are any.
        module: what is trained, with starting weights, on the CPU.
        facts: what a checkpoint tells of its run.
    """

    options: OfflineOptions
    loaded: LoadedConfig
    trained: Trained
    session: Session
    ranks: Ranks
    dataset: Dataset
    validation: Dataset | None
    module: Objective
    facts: dict[str, Any]

    @property
    def schedule(self) -> Schedule:
        """When what happens."""
        return self.trained.schedule(self.loaded.config)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.loaded.config.run.seed


def gather(
    options: OfflineOptions,
    loaded: LoadedConfig,
    trained: Trained,
    session: Session,
    ranks: Ranks,
    dataset: Dataset,
) -> Ingredients:
    """Split the dataset and make what is trained on it.

    Raises:
        ConfigurationError: the dataset lacks the split, or what is needed of it; or batches cannot
            be dealt to the ranks.
    """
    config = loaded.config
    train_on = dataset.split(options.split)
    torch.manual_seed(stream_seed(config.run.seed, "weights"))
    module = trained.create(config, train_on)
    batch_size = trained.schedule(config).batch_size
    if batch_size % ranks.world_size:
        raise ConfigurationError(
            f"--batch_size {batch_size} cannot be dealt to {ranks.world_size} ranks; choose a "
            "multiple of their number"
        )
    facts = {
        "trained": trained.kind,
        "module": as_text(module.facts),
        "dataset": as_text(facts_of(train_on, options.split)),
        "log_name": str(options.model_dir),
        "config": dump_config(config),
        "device": ranks.device.type,
        "world_size": ranks.world_size,
        "threads": torch.get_num_threads(),
        "versions": collect_versions(),
    }
    held = None if options.split == VALIDATION else _held_out_episodes(dataset)
    return Ingredients(options, loaded, trained, session, ranks, train_on, held, module, facts)


def _held_out_episodes(dataset: Dataset) -> Dataset | None:
    episodes = tuple(e for e in dataset.episodes if e.entry.split == VALIDATION)
    return replace(dataset, episodes=episodes) if episodes else None


def assemble(
    made: Ingredients,
    folder: ModelFolder,
    payload: Payload | None,
    stack: ExitStack,
    should_stop: Callable[[], bool],
) -> OfflineTrainer:
    """Build all parts of training, lay out what is continued, and put them together.

    Args:
        made: what everything is made from.
        folder: the model's.
        payload: the checkpoint to continue from, or None.
        stack: closes what was opened, at the end.
        should_stop: whether this rank was asked to stop.
    """
    ranks, schedule, notes = made.ranks, made.schedule, list[str]()
    dataset = _decoded(made, notes)
    made = replace(made, dataset=dataset)
    steps = _build_steps(made)
    generator = make_generator(made.seed, "training", ranks.rank, ranks.device)
    done = Done()
    state = OfflineState(
        *(steps, generator, ranks, Saver(folder.checkpoint), made.facts),
        made.session.remember_checkpoint,
    )
    position = _lay_out(made, payload, state, done, notes)
    made.session.clock.updates = done.steps
    samples = held_out(
        made.validation,
        made.module.needs,
        wanted=schedule.validation_samples,
        chunk=schedule.batch_size,
        num_ranks=ranks.world_size,
        seed=stream_seed(made.seed, "validation"),
    )
    if samples is None:
        notes.append(
            f"nothing is held out: {made.options.dataset} has too few episodes in its split "
            f"{VALIDATION!r}; there is no best checkpoint, and no early stop"
        )
    if done.steps >= schedule.train_steps:
        notes.append(
            f"nothing is left to train: {done.steps:,} steps are done; a higher "
            f"{typed('--train_steps')} goes on"
        )
    metrics, progress = _open_displays(made, folder, notes, done.steps, stack)
    source = open_source(
        dataset,
        made.module.needs,
        batch_size=schedule.batch_size // ranks.world_size,
        seed=stream_seed(made.seed, "data"),
        share=Share.of(ranks.rank, ranks.world_size),
        per_episode=schedule.per_episode,
    )
    return OfflineTrainer(
        steps=steps,
        loader=stack.enter_context(Loader(source, position, ranks.device)),
        generator=generator,
        validation=Validation(
            *(steps, samples),
            chunk=schedule.batch_size,
            ranks=ranks,
            seed=stream_seed(made.seed, "noise of validation", ranks.rank),
            remedy=made.trained.remedy,
        ),
        state=state,
        showing=stack.enter_context(
            Showing(ranks, metrics, progress, schedule.batch_size, made.trained.verdict)
        ),
        evidence=StepEvidence(
            *(steps, generator, ranks, made.facts, folder.path), made.trained.remedy
        ),
        schedule=schedule,
        progress=done,
        clock=made.session.clock,
        ranks=ranks,
        should_stop=should_stop,
    )


def _decoded(made: Ingredients, notes: list[str]) -> Dataset:
    """Return the dataset in memory where it fits beside those of the machine's other ranks."""
    room = available_memory() * MEMORY_SHARE / made.session.place.local_world_size
    return in_memory(made.dataset, int(room), notes.append)


def _build_steps(made: Ingredients) -> Steps:
    """Take the statistics of the data, move to the device, and rehearse."""
    schedule, module, device = made.schedule, made.module, made.ranks.device
    source = open_source(
        made.dataset,
        module.needs,
        batch_size=_few(made.dataset, module.needs.steps),
        seed=stream_seed(made.seed, "statistics"),
    )
    samples, _ = next(source.batches(Position()))
    module.to(device).fit(on_device(samples, device))
    precision = made.loaded.config.run.precision
    steps = Steps(
        module.train(),
        learning_rate=schedule.learning_rate,
        max_grad_norm=schedule.max_grad_norm,
        precision=torch.bfloat16 if precision == "bfloat16" else torch.float32,
    )
    if made.ranks.world_size > 1:
        steps.rehearse(on_device(samples, device))
    return steps


def _few(dataset: Dataset, steps: int) -> int:
    """Return how many samples of a dataset its statistics are taken from."""
    windows = int((-(-dataset.lengths // steps)).sum())  # none in an episode without a step
    return max(1, min(FITTED // steps, windows))


def _lay_out(
    made: Ingredients,
    payload: Payload | None,
    state: OfflineState,
    done: Done,
    notes: list[str],
) -> Position:
    """Lay out a checkpoint, if there is one; return where this rank begins in the data."""
    if payload is None:
        return Position()
    source = made.session.source
    assert source is not None
    with laid_out("state", source):
        state.restore_shared(payload, done)
    found = payload["facts"]
    notes += [f"continued at {done.steps:,} steps", *notes_on(found, made.facts)]
    changed = [
        f"{name} {found.get(name)} -> {made.facts[name]}"
        for name in ("device", "world_size")
        if found.get(name) != made.facts[name]
    ]
    if changed:
        notes.append(
            f"not exact: {', '.join(changed)}; weights and optimiser go on, random streams and the "
            "order of the data begin anew"
        )
        return Position(epoch=done.steps)  # one that was not seen before
    with laid_out("rank's own state", source):
        return state.restore_rank(payload)


def _open_displays(
    made: Ingredients, folder: ModelFolder, notes: list[str], steps: int, stack: ExitStack
) -> tuple[MetricsRecorder, ProgressReporter]:
    """Open the figures and the terminal's state: real ones on rank 0, silent ones elsewhere."""
    if made.ranks.rank != 0:
        return NullMetricsWriter(), NullProgress()
    versions = collect_versions()
    folder.write_manifest(
        config_text=render_conf(made.loaded.config),
        versions=versions,
        command=shlex.split(made.options.command_line),
        seed=made.seed,
        launcher=launcher(),
    )
    started = crowded_cores(made.session.place)
    all_notes = (*made.loaded.notes, *notes, *started)
    start_banner([*_banner(made, folder), *(("note", note) for note in all_notes)])
    if made.options.use_wandb:
        stack.enter_context(track_with_wandb(folder, dump_config(made.loaded.config)))
    resumed_from = None if made.session.source is None else steps
    metrics = MetricsWriter(folder, resume_from_step=resumed_from, axes=AXES)
    stack.enter_context(metrics)
    module = json.dumps(made.module.facts, indent=2)
    metrics.show(Pages(texts={"model": f"```\n{module}\n```", "versions": versions_page(versions)}))
    progress = Progress(
        made.schedule.train_steps,
        1,
        steps,
        title=f"{folder.path}  {made.module.kind}  {made.dataset.folder}",
        subject=made.trained.subject,
    )
    progress.recall(folder.path / "metrics.jsonl")
    stack.enter_context(progress)
    return metrics, progress


def _banner(made: Ingredients, folder: ModelFolder) -> list[tuple[str, str]]:
    """Return the rows of the start table."""
    schedule, dataset, module = made.schedule, made.dataset, made.module
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    held = "no episode" if made.validation is None else f"{len(made.validation):,} episodes"
    device, threads = made.ranks.device, torch.get_num_threads()
    where = "a GPU" if device.type == "cuda" else f"the CPU, {threads} thread(s)"
    windows = "" if module.needs.steps == 1 else f" of {module.needs.steps} steps"
    return [
        (
            "model",
            f"{module.kind}, {parameters:,} parameters, {module.encoder.feature_size} numbers",
        ),
        (
            "dataset",
            f"{dataset.folder}: {len(dataset):,} episodes, {dataset.num_frames:,} frames of "
            f"{environment_of(dataset)} in split {made.options.split!r}; {held} held out",
        ),
        (
            "length",
            f"{schedule.train_steps:,} steps of {schedule.batch_size:,} samples{windows} on "
            f"{made.ranks.world_size} rank(s)",
        ),
        ("computes on", f"{where}, {made.loaded.config.run.precision}"),
        ("seed", str(made.seed)),
        ("model_dir", f"{folder.path} (curves: tensorboard --logdir {folder.tensorboard_path})"),
        *rows_of_sources(made.loaded),
    ]
