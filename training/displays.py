"""What a run shows: its figures and its live line."""

import shlex
from contextlib import ExitStack

from configs.loading import dump_config, render_conf
from training.banner import banner_rows
from training.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.parts import Parts
from training.progress import NullProgress, Progress, ProgressReporter, start_banner
from training.restarts import launcher
from training.tracking import track_with_wandb
from training.versions import collect_versions
from workers.environment_pool import EnvironmentPool


def open_displays(
    parts: Parts, pool: EnvironmentPool, notes: list[str], stack: ExitStack
) -> tuple[MetricsRecorder, ProgressReporter]:
    """Open the figures and the live line: real ones on rank 0, silent ones elsewhere.

    Args:
        parts: what the run is made from.
        pool: this rank's environments.
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
    )
    rows = banner_rows(parts.loaded, parts.options, pool, parts.ranks, parts.session.device)
    start_banner([*rows, *(("note", note) for note in (*parts.loaded.notes, *notes))])
    if parts.options.use_wandb:
        stack.enter_context(track_with_wandb(parts.folder, dump_config(config)))
    metrics = MetricsWriter(parts.folder, resume_from_step=start if start else None)
    stack.enter_context(metrics)
    metrics.write_text("configuration", text)
    metrics.write_text("versions", "\n".join(f"{name} {v}" for name, v in versions.items()))
    progress = Progress(config.run.total_env_steps, pool.spec.frame_skip, start)
    stack.enter_context(progress)
    return metrics, progress
