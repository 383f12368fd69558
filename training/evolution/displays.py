"""What an evolution shows: its figures and its state on the terminal."""

import os
import shlex
from contextlib import ExitStack

import torch

from agents.controllers.cma_es import strategy_bytes
from agents.controllers.controller import Controller
from configs.loading import dump_config, render_conf
from configs.schema import Config
from configs.sizes import bytes_text
from training.building.notes import crowded_cores, undone_nohup
from training.evolution.showing import SUBJECT
from training.figures.curve_pages import Pages, configuration_page, hparams_of, versions_page
from training.figures.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.figures.tracking import track_with_wandb
from training.folders.versions import collect_versions
from training.live.banner import curves_text, rows_of_sources
from training.live.console import start_banner
from training.live.progress import NullProgress, Progress, ProgressReporter
from training.parts import Parts
from training.ranks.restarts import launcher
from workers.environment_pool import EnvironmentPool
from workers.processes.free_memory import available_memory


def open_displays(
    parts: Parts,
    pool: EnvironmentPool,
    controller: Controller,
    notes: list[str],
    stack: ExitStack,
) -> tuple[MetricsRecorder, ProgressReporter]:
    """Open the figures and the terminal's state: real ones on rank 0, silent ones elsewhere.

    Args:
        parts: what the run is made from.
        pool: this rank's environments.
        controller: what evolves.
        notes: what the user should know of how the run begins.
        stack: closes what was opened, at the run's end.
    """
    if parts.ranks.rank != 0:
        return NullMetricsWriter(), NullProgress()
    config, clock = parts.config, parts.session.clock
    versions = collect_versions()
    parts.folder.write_manifest(
        config_text=render_conf(config),
        versions=versions,
        command=shlex.split(parts.options.command_line),
        seed=config.run.seed,
        launcher=launcher(),
        env_steps=clock.env_steps,
    )
    started = (*crowded_cores(parts.session.place), *undone_nohup(os.environ))
    all_notes = (*parts.loaded.notes, *pool.spec.notes, *notes, *started)
    rows = [*_banner(parts, pool, controller), *(("note", note) for note in all_notes)]
    start_banner(rows, parts.options.first_words)
    if parts.options.use_wandb:
        stack.enter_context(track_with_wandb(parts.folder, dump_config(config)))
    resumed_from = None if parts.session.source is None else clock.env_steps
    metrics = MetricsWriter(parts.folder, resume_from_step=resumed_from)
    stack.enter_context(metrics)
    texts = {"configuration": configuration_page(parts.loaded), "versions": versions_page(versions)}
    metrics.show(Pages(texts=texts, hparams=hparams_of(parts.loaded)))
    progress = Progress(
        config.evolution.generations,
        1,
        clock.updates,
        title=f"{parts.options.log_name}  {pool.spec.env_id}  CMA-ES",
        subject=SUBJECT,
    )
    progress.recall(parts.folder.path / "metrics.jsonl")
    stack.enter_context(progress)
    return metrics, progress


def _banner(parts: Parts, pool: EnvironmentPool, controller: Controller) -> list[tuple[str, str]]:
    """Return the rows of the start table."""
    config, options, ranks = parts.config, parts.options, parts.ranks
    section, inputs = config.evolution, controller.inputs
    seen = f"{inputs.latent_size} numbers"
    seen += " of the encoder" if parts.encoder is not None else " of the environment"
    seen += ", their change" if inputs.with_change else ""
    seen += f", {inputs.hidden_size} of the memory" if inputs.hidden_size else ""
    shape = f"{section.hidden_units} hidden units" if section.hidden_units else "linear"
    threads = f"{torch.get_num_threads()} thread(s)"
    where = threads if ranks.device.type == "cpu" else "a GPU"
    return [
        ("run", options.log_name),
        ("controller", f"{shape}, {controller.num_parameters:,} parameters, sees {seen}"),
        (
            "environments",
            f"{pool.spec.env_id}, {ranks.world_size} rank(s) x {pool.num_environments}, "
            f"{pool.place}",
        ),
        ("length", _length(config, pool.spec.max_episode_steps)),
        ("computes on", where),
        (
            "memory",
            f"{bytes_text(strategy_bytes(controller.num_parameters))} for CMA-ES at most; "
            f"{bytes_text(available_memory())} free",
        ),
        ("seed", str(config.run.seed)),
        ("checkpoint", str(options.save_model_path)),
        ("curves", curves_text(options)),
        *rows_of_sources(parts.loaded),
    ]


def _length(config: Config, longest_episode: int | None) -> str:
    """Say what ends an evolution: its generations, or TotalEnvSteps where these may come first.

    Args:
        config: the run's configuration.
        longest_episode: env steps at which an episode is cut, None where it never is.
    """
    section, limit = config.evolution, config.run.total_env_steps
    episodes = section.population_size * section.trials_per_member
    text = (
        f"{section.generations:,} generations of {section.population_size} controllers x "
        f"{section.trials_per_member} = {episodes:,} episodes"
    )
    if longest_episode is not None:
        text += f" of at most {longest_episode:,} env steps"
        if limit >= section.generations * episodes * longest_episode:
            return text
    return f"{text}, or {limit:,} env steps (TotalEnvSteps)"
