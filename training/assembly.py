"""The composition root of PPO: from options and a configuration to a trainer."""

import functools
import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import ConfigurationError
from configs.loading import dump_config
from configs.schema import Config
from training.algorithm import Algorithm, Train
from training.building.custom_model import try_custom_model
from training.building.custom_source import check_state, facts_of, warn_if_changed
from training.building.displays import EachStep, drawn_while_learning, open_displays, setup_of
from training.building.heads import build_pretraining
from training.building.intervals import updates_per_row
from training.building.learner import (
    build_learner,
    build_optimizer,
    learning_settings,
    rollout_shape,
)
from training.building.memory import check_minibatches
from training.building.notes import random_play
from training.building.rollouts import build_rollouts
from training.building.seeding import make_generator, stream_seed
from training.checkpoints.action_mapping import follow_checkpoint, say_mapping
from training.checkpoints.continuation import Start
from training.checkpoints.freezing import check_frozen_source
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import FACT, choose_encoder, kept_encoder, module_of
from training.checkpoints.storage import Payload, Saver
from training.checkpoints.unstated import keep_unstated
from training.dreaming.opening import open_pool
from training.folders.versions import collect_versions
from training.live.progress import ProgressReporter
from training.loop.collector import Policy
from training.loop.episodes import EpisodeLog
from training.loop.evidence import Evidence
from training.loop.frame_cells import coarse_cells, exact_cells
from training.loop.pretraining import Pretraining, PretrainingSettings
from training.loop.profiling import (
    PROFILED_UPDATES,
    NullProfiler,
    Profiler,
    TracedStopwatch,
    torch_profiler,
)
from training.loop.reporting import Reporter
from training.loop.resuming import lay_out
from training.loop.run_state import RunState
from training.loop.since_row import SinceRow
from training.loop.stopwatch import Stopwatch
from training.loop.trainer import Beginning, Schedule, Trainer, uniform_policy
from training.loop.visits import FrameCells, VisitRecorder
from training.parts import Parts
from training.ranks.agreement import on_first_rank
from training.ranks.page_locking import page_locked
from workers.environment_pool import EnvironmentPool
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import output_bounds
from workers.opening import Sizes


def assemble(
    parts: Parts, payload: Payload | None, pool: EnvironmentPool, stack: ExitStack
) -> Train:
    """Build all parts of a run, lay out what is continued, and put them together.

    Args:
        parts: what everything is made from.
        payload: the checkpoint to continue from, or None.
        pool: this rank's environments.
        stack: closes what was opened, at the run's end.

    Returns:
        what trains.
    """
    each_step = EachStep(parts.stop)
    parts = replace(parts, stop=each_step)
    ranks, session = parts.ranks, parts.session
    parts = replace(parts, loaded=say_mapping(parts.loaded, pool.spec))
    config = parts.config
    steps_before = env_steps_of(payload)
    stack.enter_context(page_locked(pool, session.device))
    agent, rollout = build_agent(parts, pool, steps_before)
    stopwatch = TracedStopwatch() if parts.options.pytorch_profiling else Stopwatch()
    collector, rollouts = build_rollouts(
        parts, pool, agent, rollout, stopwatch, steps_before, stack
    )
    has_bonus = config.intrinsic.kind != "none"
    visits = VisitRecorder(
        pool.spec,
        ranks,
        parts.folder.path / "visits.npz",
        choose_frame_cells(config) if has_bonus and not config.learns_from_features else None,
    )
    since_row = SinceRow(visits, ranks, has_bonus=has_bonus)
    episodes = EpisodeLog()
    facts = checkpoint_facts(parts, pool) | facts_of(agent.learner.policy)
    state = RunState(
        agent=agent,
        rollouts=rollouts,
        pool=pool,
        visits=visits,
        since_row=since_row,
        ranks=ranks,
        saver=Saver(parts.options.save_model_path),
        facts=facts,
        on_saved=session.remember_checkpoint,
    )
    if payload is not None:
        with laid_out("model", session.source or Path("the checkpoint")):
            check_state(payload["facts"], agent.learner.policy)
    beginning, notes = lay_out(payload, state, session, episodes, facts)
    if beginning is Beginning.FROM_NOTHING and agent.needs_warm_up:
        notes = [*notes, random_play(config, pool.num_environments * ranks.world_size)]
    both = 2 if config.run.overlap_collection else 1
    held = "rollout", both * rollout.num_bytes
    metrics, progress = open_displays(parts, pool, held, notes, stack)
    each_step.progress = progress
    if not config.run.overlap_collection:  # then collecting keeps it up, in this thread alone
        stack.enter_context(drawn_while_learning(progress))
    reporter = stack.enter_context(
        Reporter(
            ranks, pool, metrics, progress, agent.optimizer, setup_of(parts, pool, agent.learner)
        )
    )
    reporter.begin(session.clock.env_steps)
    profiler, max_updates = _choose_profiler(parts, progress, stack)
    trainer = Trainer(
        agent=agent,
        collector=collector,
        rollouts=rollouts,
        ranks=ranks,
        episodes=episodes,
        visits=visits,
        since_row=since_row,
        state=state,
        evidence=Evidence(agent, ranks, facts, parts.folder.path),
        reporter=reporter,
        profiler=profiler,
        schedule=make_schedule(config, ranks, max_updates),
        clock=session.clock,
        stopwatch=stopwatch,
        random_policy=random_policy(pool.spec, agent.generator),
        pretraining=_make_pretraining(config, agent, ranks, reporter),
        should_stop=each_step,
    )
    return functools.partial(trainer.run, beginning)


def look(parts: Parts, start: Start) -> Parts:
    """Read the encoder that a policy is to look through; refuse what cannot be frozen.

    Raises:
        CheckpointError: an encoder or a checkpoint cannot be used.
    """
    on_first_rank(parts.ranks, lambda: check_frozen_source(start, parts.config))
    return replace(parts, encoder=choose_encoder(parts.ranks, start, parts.config))


def follow(parts: Parts, start: Start, payload: Payload) -> Parts:
    """Keep of a checkpoint what the recipe leaves open, and the encoder of its policy."""
    loaded = follow_checkpoint(keep_unstated(parts.loaded, payload), payload)
    assert start.source is not None
    warn_if_changed(payload["facts"], loaded.config, start.source)
    kept = kept_encoder(payload["facts"], loaded.config, start.source)
    return replace(parts, loaded=loaded, encoder=kept)


def env_steps_of(payload: Payload | None) -> int:
    """Return the env steps of the checkpoint that is continued, 0 where there is none."""
    return 0 if payload is None else int(payload["env_steps"])


def make_pool(parts: Parts, steps_before: int, num_groups: int | None = None) -> EnvironmentPool:
    """Start this rank's environments.

    Args:
        parts: what everything is made from.
        steps_before: env steps of the checkpoint that is continued; environments that cannot go on
            exactly must not see the run's first random streams again.
        num_groups: in the place of EnvironmentGroups.
    """
    ranks, run = parts.ranks, parts.config.run
    groups = num_groups or run.environment_groups
    if groups == "auto":
        groups = 2 if ranks.device.type == "cuda" else 1
    sizes = Sizes(
        num_environments=run.num_envs,
        num_groups=min(groups, run.num_envs),
        base_seed=stream_seed(run.seed, f"environments from env step {steps_before}"),
        first_index=ranks.rank * run.num_envs,
        num_workers=parts.options.num_workers,
        cores=parts.session.place.cores,
    )
    return open_pool(parts.config, sizes)


def open_environments(parts: Parts, steps_before: int) -> EnvironmentPool:
    """Start this rank's environments as `make_pool` does, and try the user's model on them.

    Raises:
        ConfigurationError: the model cannot be used, or a policy that remembers has too few
            environments.
    """
    memory = parts.config.ppo.memory
    if memory != "none":
        check_minibatches(parts.config, f"PolicyMemory = {memory}")
    pool = make_pool(parts, steps_before)
    try:
        try_custom_model(parts.config, pool.spec)
    except ConfigurationError:
        pool.close()
        raise
    return pool


def build_agent(
    parts: Parts, pool: EnvironmentPool, steps_before: int
) -> tuple[PPOAgent, RolloutBuffer]:
    """Build the agent and its rollout; every rank starts from the same weights.

    `steps_before` as in `make_pool`, for this rank's own random stream.
    """
    config, ranks, device = parts.config, parts.ranks, parts.session.device
    torch.manual_seed(stream_seed(config.run.seed, "weights"))
    encoder = module_of(parts.encoder)
    learner = build_learner(config, pool.spec, pool.num_environments, encoder).to(device)
    agent = PPOAgent(
        learner,
        build_optimizer(config, learner),
        learning_settings(config, pool.num_environments * ranks.world_size),
        ranks,
        make_generator(config.run.seed, f"acting from env step {steps_before}", ranks.rank, device),
    )
    shape = rollout_shape(config, pool.spec, pool.num_environments, learner.encoder)
    agent.prime(shape)
    return agent, learner.new_rollout(shape, device)


def choose_frame_cells(config: Config) -> FrameCells:
    """Return what tells the states of frames apart; a maze's frames are its states."""
    return exact_cells if config.environment.env_type == "minigrid" else coarse_cells


def make_schedule(config: Config, ranks: Ranks, max_updates: int | None) -> Schedule:
    """Return when the run ends and what happens how often."""
    return Schedule(
        total_env_steps=config.run.total_env_steps,
        max_updates=max_updates,
        warmup_rollouts=config.intrinsic.warmup_rollouts,
        checkpoint_every=config.run.checkpoint_every,
        log_every=updates_per_row(config, ranks.world_size),
    )


def checkpoint_facts(parts: Parts, pool: EnvironmentPool) -> dict[str, Any]:
    """Return what a checkpoint tells of its run: text and numbers only."""
    facts = {
        "log_name": parts.options.log_name,
        "config": dump_config(parts.config),
        "spec": json.dumps(asdict(pool.spec)),
        "device": parts.ranks.device.type,
        "world_size": parts.ranks.world_size,
        "num_envs": pool.num_environments,
        "threads": torch.get_num_threads(),
        "versions": collect_versions(),
    }
    return facts if parts.encoder is None else {**facts, FACT: parts.encoder.facts}


def _choose_profiler(
    parts: Parts, progress: ProgressReporter, stack: ExitStack
) -> tuple[Profiler, int | None]:
    """Return the profiler and the number of updates after which a profiling run ends."""
    options = parts.options
    if not options.pytorch_profiling:
        return NullProfiler(), options.profile_updates
    profiler = stack.enter_context(
        torch_profiler(
            parts.folder.profiler_path,
            parts.ranks.rank,
            progress.message,
            all_threads=parts.config.run.overlap_collection,
        )
    )
    return profiler, options.profile_updates or PROFILED_UPDATES


def _make_pretraining(
    config: Config, agent: PPOAgent, ranks: Ranks, reporter: Reporter
) -> Pretraining | None:
    if config.representation.pretraining_updates == 0:
        return None
    torch.manual_seed(stream_seed(config.run.seed, "pretraining"))
    representation = build_pretraining(config, agent.learner.policy)
    if representation is None:
        return None
    samples = config.ppo.rollout_steps * config.run.num_envs
    settings = PretrainingSettings(
        max_updates=config.representation.pretraining_updates,
        batch_size=max(1, samples // config.ppo.num_minibatches),
        learning_rate=config.ppo.learning_rate,
        adam_epsilon=config.ppo.adam_epsilon,
    )
    return Pretraining(
        representation.to(agent.device), settings, ranks, agent.generator, reporter.prepare
    )


def random_policy(spec: EnvironmentSpec, generator: torch.Generator) -> Policy:
    """Return a policy that draws evenly between the bounds; -1 to 1 stand for what is not bounded.

    That is about what the policy itself spans at the start.
    """
    bounds = None
    if not spec.discrete:
        low, high = (
            torch.tensor(side, device=generator.device).nan_to_num(posinf=1.0, neginf=-1.0)
            for side in output_bounds(spec)
        )
        bounds = (low, high)
    return uniform_policy(spec.num_actions, bounds, generator)


PPO = Algorithm(look, follow, open_environments, assemble)
