"""What a run shows: its figures and its state on the terminal."""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch

from agents.steps.adam import told_of_steps
from configs.loading import dump_config, render_conf
from training.building.intervals import updates_per_row
from training.building.notes import (
    crowded_cores,
    few_environments,
    in_the_rank,
    lone_samples,
    only_random_steps,
    short_reach,
    undone_nohup,
)
from training.figures.bottlenecks import Setup
from training.figures.curve_layout import curve_layout
from training.figures.curve_pages import Pages, configuration_page, hparams_of, versions_page
from training.figures.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.figures.tracking import track_with_wandb
from training.folders.versions import collect_versions
from training.live.banner import banner_rows
from training.live.console import start_banner
from training.live.progress import NullProgress, Progress, ProgressReporter
from training.parts import Parts
from training.ranks.restarts import launcher
from workers.environment_pool import EnvironmentPool

# What makes an update shorter, of small networks and of large ones.
LESS_ROLLOUT = ("fewer Epoch or MiniBatch", "fewer Epoch")
LESS_REPLAY = ("a lower GradientSteps or ReplayBatchSize",) * 2


def open_displays(
    parts: Parts,
    pool: EnvironmentPool,
    held: tuple[str, int],
    notes: list[str],
    stack: ExitStack,
) -> tuple[MetricsRecorder, ProgressReporter]:
    """Open the figures and the terminal's state: real ones on rank 0, silent ones elsewhere.

    Args:
        parts: what the run is made from.
        pool: this rank's environments.
        held: what a rank holds of its play, in words, and its bytes when it is full.
        notes: what the user should know of how the run begins.
        stack: closes what was opened, at the run's end.
    """
    if parts.ranks.rank != 0:
        return NullMetricsWriter(), NullProgress()
    config, start = parts.config, parts.session.clock.env_steps
    versions, text = collect_versions(), render_conf(config)
    parts.folder.write_manifest(
        config_text=text,
        versions=versions,
        command=shlex.split(parts.options.command_line),
        seed=config.run.seed,
        launcher=launcher(),
        env_steps=start,
    )
    rows = banner_rows(parts.loaded, parts.options, pool, parts.ranks, parts.session.device, held)
    total_envs = pool.num_environments * parts.ranks.world_size
    started = (
        *crowded_cores(parts.session.place),
        *few_environments(config.environment.env_id, total_envs),
        *lone_samples(config, total_envs),
        *only_random_steps(config),
        *short_reach(config, pool.spec),
        *in_the_rank(config, parts.options.num_workers),
        *undone_nohup(os.environ),
    )
    all_notes = (*parts.loaded.notes, *pool.spec.notes, *notes, *started)
    start_banner([*rows, *(("note", note) for note in all_notes)], parts.options.first_words)
    if parts.options.use_wandb:
        stack.enter_context(track_with_wandb(parts.folder, dump_config(config)))
    resumed_from = None if parts.session.source is None else start
    metrics = MetricsWriter(parts.folder, resume_from_step=resumed_from)
    stack.enter_context(metrics)
    metrics.show(pages_of(parts, versions))
    progress = Progress(
        config.run.total_env_steps,
        pool.spec.frame_skip,
        start,
        title=title_of(parts, pool.num_environments),
        in_place=parts.options.in_place,
    )
    progress.recall(parts.folder.path / "metrics.jsonl")
    stack.enter_context(progress)
    return metrics, progress


def pages_of(parts: Parts, versions: Mapping[str, str]) -> Pages:
    """Return what stands beside the run's curves."""
    config = parts.config
    return Pages(
        texts={
            "configuration": configuration_page(parts.loaded),
            "versions": versions_page(versions),
        },
        hparams=hparams_of(parts.loaded),
        layout=curve_layout(
            has_bonus=config.intrinsic.kind != "none",
            has_head=config.representation.kind != "None",
            has_rooms="Montezuma" in config.environment.env_id,
            from_replay=config.run.agent == "TD3",
            num_ranks=parts.ranks.world_size,
        ),
    )


def setup_of(parts: Parts, pool: EnvironmentPool, learner: torch.nn.Module) -> Setup:
    """Return what this rank has, for hints on what holds the run up."""
    run = parts.config.run
    return Setup(
        environments=pool.num_environments,
        workers=pool.num_processes,
        cores=parts.session.place.cores,
        threads=torch.get_num_threads(),
        on_gpu=parts.session.device.type == "cuda",
        parameters=sum(parameter.numel() for parameter in learner.parameters()),
        checkpoint_every=run.checkpoint_every,
        log_every=updates_per_row(parts.config, parts.ranks.world_size),
        less_work=LESS_REPLAY if run.agent == "TD3" else LESS_ROLLOUT,
    )


def title_of(parts: Parts, num_envs: int) -> str:
    """Return the run in a few words: its name, what it learns, with what, on how much."""
    config = parts.config
    words = [parts.options.log_name, config.environment.env_id]
    words += [config.run.agent] if config.run.agent != "PPO" else []
    words += [config.intrinsic.kind] if config.intrinsic.kind != "none" else []
    words += [config.representation.kind] if config.representation.kind != "None" else []
    ranks = f"{parts.ranks.world_size} ranks x " if parts.ranks.world_size > 1 else ""
    return "  ".join([*words, f"{ranks}{num_envs} environments"])


class EachStep:
    """Asked at every env step whether to stop; keeps the terminal up meanwhile.

    Args:
        should_stop: the run's own answer.

    Attributes:
        progress: what is kept up, from when there is one.
    """

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.progress: ProgressReporter = NullProgress()
        self._should_stop = should_stop

    def __call__(self) -> bool:
        """Return whether to stop."""
        self.progress.tick("collecting")
        return self._should_stop()


@contextmanager
def drawn_while_learning(progress: ProgressReporter) -> Iterator[None]:
    """Keep the terminal up at every step of an optimiser."""
    with told_of_steps(lambda: progress.tick("learning")):
        yield
