"""The composition root: from options and a configuration to a trainer."""

import functools
import json
import shlex
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import torch

from agents.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.loading import LoadedConfig, dump_config, render_conf
from configs.schema import Config
from training.banner import banner_rows
from training.building import build_learner, build_optimizer, learning_settings, rollout_shape
from training.checkpoint import Payload, Saver
from training.collector import Collector, Policy
from training.distributed import Place
from training.episodes import EpisodeLog
from training.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.options import RunOptions
from training.profiling import PROFILED_UPDATES, NullProfiler, Profiler, torch_profiler
from training.progress import NullProgress, Progress, ProgressReporter, start_banner
from training.reporting import Reporter
from training.run_folder import RunFolder, collect_versions
from training.run_state import RunState
from training.seeding import make_generator, stream_seed
from training.session import Session
from training.stop_request import StopRequest
from training.stopwatch import Stopwatch
from training.tracking import track_with_wandb
from training.trainer import Schedule, Trainer, uniform_policy
from training.visits import VisitRecorder
from workers.environments.make import make_environment
from workers.pool import WorkerPool


@dataclass(frozen=True)
class Parts:
    """What everything else is made from."""

    session: Session
    folder: RunFolder
    options: RunOptions
    loaded: LoadedConfig
    ranks: Ranks
    stop: StopRequest

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self.loaded.config


def assemble(parts: Parts, payload: Payload | None, stack: ExitStack) -> tuple[Trainer, bool]:
    """Build all parts of a run, lay out what is continued, and put them together.

    Args:
        parts: what everything is made from.
        payload: the checkpoint to continue from, or None.
        stack: closes what was opened, at the run's end.

    Returns:
        the trainer, and whether the environments must be reset before it runs.
    """
    config, ranks, session = parts.config, parts.ranks, parts.session
    pool = stack.enter_context(make_pool(config, parts.options, ranks, session.place))
    agent, rollout = build_agent(config, pool, ranks, session.device)
    visits = VisitRecorder(pool.spec, ranks, parts.folder.path / "visits.npz")
    episodes = EpisodeLog()
    facts = checkpoint_facts(config, parts.options, pool, ranks)
    state = RunState(
        agent=agent,
        rollout=rollout,
        pool=pool,
        visits=visits,
        ranks=ranks,
        saver=Saver(parts.options.save_model_path),
        facts=facts,
        on_saved=session.remember_checkpoint,
    )
    fresh, notes = _continue_from(payload, state, session, episodes, facts)
    metrics, progress = _open_displays(parts, pool, notes, stack)
    reporter = Reporter(ranks, pool, metrics, progress, agent.optimizer)
    reporter.begin(session.clock.env_steps)
    profiler, max_updates = _choose_profiler(parts, stack)
    trainer = Trainer(
        agent=agent,
        rollout=rollout,
        collector=Collector(pool, rollout, config.environment.learning_reward),
        ranks=ranks,
        episodes=episodes,
        visits=visits,
        state=state,
        reporter=reporter,
        profiler=profiler,
        schedule=make_schedule(config, max_updates),
        clock=session.clock,
        stopwatch=Stopwatch(),
        random_policy=_random_policy(agent, pool),
        should_stop=parts.stop,
    )
    return trainer, fresh


def make_pool(config: Config, options: RunOptions, ranks: Ranks, place: Place) -> WorkerPool:
    """Start this rank's environments."""
    run = config.run
    groups = run.environment_groups
    if groups == "auto":
        groups = 2 if ranks.device.type == "cuda" else 1
    return WorkerPool(
        functools.partial(make_environment, config.environment),
        num_environments=run.num_envs,
        num_processes=min(options.num_workers or place.cores, run.num_envs),
        num_groups=min(groups, run.num_envs),
        base_seed=stream_seed(run.seed, "environments"),
        first_index=ranks.rank * run.num_envs,
        step_timeout=run.step_timeout,
        reset_timeout=run.reset_timeout,
        max_restarts=run.max_worker_restarts,
    )


def build_agent(
    config: Config, pool: WorkerPool, ranks: Ranks, device: torch.device
) -> tuple[PPOAgent, RolloutBuffer]:
    """Build the agent and its rollout; every rank starts from the same weights."""
    torch.manual_seed(stream_seed(config.run.seed, "weights"))
    learner = build_learner(config, pool.spec, pool.num_environments).to(device)
    agent = PPOAgent(
        learner,
        build_optimizer(config, learner),
        learning_settings(config, pool.num_environments * ranks.world_size),
        ranks,
        make_generator(config.run.seed, "acting and sampling", ranks.rank, device),
    )
    rollout = RolloutBuffer(rollout_shape(config, pool.spec, pool.num_environments), device)
    agent.prime(rollout)
    return agent, rollout


def make_schedule(config: Config, max_updates: int | None) -> Schedule:
    """Return when the run ends and what happens how often."""
    has_bonus = config.intrinsic.kind != "none"
    return Schedule(
        total_env_steps=config.run.total_env_steps,
        max_updates=max_updates,
        warmup_rollouts=config.intrinsic.warmup_rollouts if has_bonus else 0,
        checkpoint_every=config.run.checkpoint_every,
        log_every=config.run.log_every,
        anneal=config.ppo.learning_rate_schedule == "linear",
    )


def checkpoint_facts(
    config: Config, options: RunOptions, pool: WorkerPool, ranks: Ranks
) -> dict[str, object]:
    """Return what a checkpoint tells of its run: text and numbers only."""
    return {
        "log_name": options.log_name,
        "config": dump_config(config),
        "spec": json.dumps(asdict(pool.spec)),
        "world_size": ranks.world_size,
        "num_envs": pool.num_environments,
        "threads": torch.get_num_threads(),
        "versions": collect_versions(),
    }


def _continue_from(
    payload: Payload | None,
    state: RunState,
    session: Session,
    episodes: EpisodeLog,
    facts: dict[str, object],
) -> tuple[bool, list[str]]:
    """Lay out a checkpoint.

    Returns:
        whether the environments must be reset first, and what the user should know.
    """
    if payload is None:
        return True, []
    state.restore_shared(payload, session.clock, episodes)
    found = payload["facts"]
    notes = [f"continued at {session.clock.env_steps:,} env steps"]
    changed = [key for key in ("world_size", "num_envs") if found[key] != facts[key]]
    if changed:
        differences = ", ".join(f"{key} {found[key]} -> {facts[key]}" for key in changed)
        notes.append(
            f"not exact: {differences}; weights, optimiser and statistics go on, environments and "
            "random streams start anew"
        )
        return True, notes
    if found["threads"] != facts["threads"]:
        notes.append(
            f"not exact to the last bit: {found['threads']} torch threads -> {facts['threads']}"
        )
    missing = state.restore_rank(payload)
    if missing:
        notes.append(
            f"not exact: {len(missing)} environments of this simulator cannot be continued within "
            "an episode and start a new one"
        )
    return bool(missing), notes


def _open_displays(
    parts: Parts, pool: WorkerPool, notes: list[str], stack: ExitStack
) -> tuple[MetricsRecorder, ProgressReporter]:
    """Open the figures and the live line: real ones on rank 0, silent ones elsewhere."""
    if parts.ranks.rank != 0:
        return NullMetricsWriter(), NullProgress()
    config, start = parts.config, parts.session.clock.env_steps
    versions, text = collect_versions(), render_conf(config)
    parts.folder.write_manifest(
        config_text=text,
        versions=versions,
        command=shlex.split(parts.options.command_line),
        seed=config.run.seed,
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


def _choose_profiler(parts: Parts, stack: ExitStack) -> tuple[Profiler, int | None]:
    """Return the profiler and the number of updates after which a profiling run ends."""
    options = parts.options
    if not options.pytorch_profiling:
        return NullProfiler(), options.profile_updates
    profiler = stack.enter_context(torch_profiler(parts.folder.profiler_path, parts.ranks.rank))
    return profiler, options.profile_updates or PROFILED_UPDATES


def _random_policy(agent: PPOAgent, pool: WorkerPool) -> Policy:
    spec = pool.spec
    bounds = None
    if not spec.discrete:
        low, high = (
            torch.tensor(side, device=agent.device) for side in (spec.action_low, spec.action_high)
        )
        bounds = (low, high)
    return uniform_policy(spec.num_actions, bounds, agent.generator)
