"""The composition root of TD3: from options and a configuration to a trainer."""

import functools
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch

from agents.encoded_frames import frame_stack
from agents.encoders.encoder import Encoder
from agents.replay.replay import Replay
from agents.td3.td3_agent import TD3Agent
from agents.td3.td3_learner import TD3Learner
from configs.errors import ConfigurationError
from configs.sizes import bytes_text
from configs.typed import typed
from training import assembly
from training.algorithm import Algorithm, Train
from training.assembly import checkpoint_facts, env_steps_of, make_pool
from training.building.displays import EachStep, drawn_while_learning, open_displays, setup_of
from training.building.intervals import updates_per_row
from training.building.seeding import stream_seed
from training.building.stacking import stack_size
from training.building.td3 import (
    build_replay,
    build_td3_agent,
    build_td3_learner,
    replay_bytes,
)
from training.checkpoints.action_mapping import say_mapping
from training.checkpoints.continuation import Start
from training.checkpoints.policy_encoder import module_of
from training.checkpoints.policy_transition import FACT, choose_transition, kept_transition
from training.checkpoints.storage import Payload, Saver
from training.loop.episodes import EpisodeLog
from training.loop.reporting import Reporter
from training.loop.resuming import lay_out
from training.loop.stopwatch import Stopwatch
from training.loop.visits import VisitRecorder
from training.off_policy.experience import Experience
from training.off_policy.run_state import OffPolicyState
from training.off_policy.trainer import OffPolicySchedule, OffPolicyTrainer
from training.parts import Parts
from workers.environment_pool import EnvironmentPool
from workers.processes.free_memory import available_memory

HELD_BY_A_SAVE = 2  # times each buffer, by rank 0 beside its own: as tensors, and as the file


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
    parts = replace(parts, loaded=say_mapping(parts.loaded, pool.spec))
    config, ranks, session = parts.config, parts.ranks, parts.session
    agent = _build_agent(parts, pool, env_steps_of(payload))
    visits = VisitRecorder(pool.spec, ranks, parts.folder.path / "visits.npz", None)
    experience = Experience(
        pool,
        _build_replay(parts, pool),
        stack_size=stack_size(config, pool.spec),
        reward_kind=config.environment.learning_reward,
        device=session.device,
        encoder=agent.learner.encoder,
        keeps_states=visits.num_cells > 0,
    )
    episodes, facts = EpisodeLog(), checkpoint_facts(parts, pool)
    if parts.transition is not None:
        facts[FACT] = parts.transition.facts
    state = OffPolicyState(
        agent=agent,
        experience=experience,
        pool=pool,
        visits=visits,
        ranks=ranks,
        saver=Saver(parts.options.save_model_path),
        facts=facts,
        on_saved=session.remember_checkpoint,
    )
    beginning, notes = lay_out(payload, state, session, episodes, facts)
    full = replay_bytes(config, pool.spec, _remembered_encoder(parts))
    held = "full replay buffer, three times that while it is saved", full
    metrics, progress = open_displays(parts, pool, held, notes, stack)
    each_step.progress = progress
    stack.enter_context(drawn_while_learning(progress))
    optimizer, setup = agent.critic_optimizer, setup_of(parts, pool, agent.learner)
    reporter = stack.enter_context(Reporter(ranks, pool, metrics, progress, optimizer, setup))
    reporter.begin(session.clock.env_steps)
    trainer = OffPolicyTrainer(
        agent=agent,
        experience=experience,
        ranks=ranks,
        num_envs=pool.num_environments,
        num_actions=pool.spec.num_actions,
        episodes=episodes,
        visits=visits,
        state=state,
        reporter=reporter,
        schedule=_schedule(parts),
        clock=session.clock,
        stopwatch=Stopwatch(),
        should_stop=each_step,
    )
    return functools.partial(trainer.run, beginning)


def look(parts: Parts, start: Start) -> Parts:
    """Read the encoder and the model of transitions that critics are to look at.

    Raises:
        CheckpointError: one of them cannot be used.
        ConfigurationError: the command line asks for what is there for PPO alone.
    """
    if parts.options.pytorch_profiling:
        raise ConfigurationError(
            f"{typed('--pytorch_profiling')} with Agent = TD3: that is there for PPO alone; "
            f"{typed('--profile_updates', 2)} ends a run for other profilers"
        )
    parts = assembly.look(parts, start)
    return replace(parts, transition=choose_transition(parts.ranks, start, parts.config))


def follow(parts: Parts, start: Start, payload: Payload) -> Parts:
    """Keep of a checkpoint what the recipe leaves open, and the models of its critics."""
    parts = assembly.follow(parts, start, payload)
    assert start.source is not None
    kept = kept_transition(payload["facts"], parts.config, start.source)
    return replace(parts, transition=kept)


def open_environments(parts: Parts, steps_before: int) -> EnvironmentPool:
    """Start this rank's environments, all in one group.

    All that is refused is refused here: later an older run of this name would be replaced by then.

    Raises:
        ConfigurationError: their actions are choices, the models are of other observations, or
            there is no room for a full replay buffer.
    """
    pool = make_pool(parts, steps_before, num_groups=1)
    try:
        _build_learner(parts, pool)
        _check_memory(parts, pool)
    except ConfigurationError:
        pool.close()
        raise
    return pool


def _build_agent(parts: Parts, pool: EnvironmentPool, steps_before: int) -> TD3Agent:
    """Build the agent; every rank starts from the same weights."""
    config, device = parts.config, parts.session.device
    torch.manual_seed(stream_seed(config.run.seed, "weights"))
    learner = _build_learner(parts, pool).to(device)
    agent = build_td3_agent(config, learner, parts.ranks.rank, steps_before, device)
    if parts.ranks.world_size > 1:
        spec = pool.spec
        first = torch.from_numpy(np.zeros((2, *spec.observation_shape), spec.observation_dtype))
        stack = frame_stack(learner.encoder, first.to(device), stack_size(config, spec))
        agent.rehearse(stack.observation, spec.num_actions)
    return agent


def _build_learner(parts: Parts, pool: EnvironmentPool) -> TD3Learner:
    transition = None if parts.transition is None else parts.transition.module
    return build_td3_learner(parts.config, pool.spec, module_of(parts.encoder), transition)


def _remembered_encoder(parts: Parts) -> Encoder | None:
    """Return the encoder whose features are remembered; None where observations are."""
    return module_of(parts.encoder) if parts.config.learns_from_features else None


def _build_replay(parts: Parts, pool: EnvironmentPool) -> Replay:
    """Make the empty replay buffer."""
    encoder = _remembered_encoder(parts)
    return build_replay(parts.config, pool.spec, pool.num_environments, encoder)


def _check_memory(parts: Parts, pool: EnvironmentPool) -> None:
    """Refuse a replay buffer that, full, would have no room to lie in or to be saved.

    Raises:
        ConfigurationError: names a size that would have.
    """
    config, place = parts.config, parts.session.place
    full = replay_bytes(config, pool.spec, _remembered_encoder(parts))
    steps = min(config.td3.replay_size, config.run.total_env_steps // parts.ranks.world_size)
    filled = full * steps // config.td3.replay_size
    saved = 1 + HELD_BY_A_SAVE * parts.ranks.world_size / place.local_world_size
    free = available_memory() // place.local_world_size
    if filled * saved > free:
        raise ConfigurationError(
            f"ReplaySize = {config.td3.replay_size:,}: the replay buffer of a rank would come to "
            f"{bytes_text(filled)}, {bytes_text(filled * saved)} while it is saved, and "
            f"{bytes_text(free)} are free for it; ReplaySize = "
            f"{int(config.td3.replay_size * free / (full * saved)):,} would fill all of that"
        )


def _schedule(parts: Parts) -> OffPolicySchedule:
    run, section = parts.config.run, parts.config.td3
    return OffPolicySchedule(
        total_env_steps=run.total_env_steps,
        random_steps=section.random_steps,
        gradient_steps=section.gradient_steps,
        steps_per_update=section.steps_per_update,
        checkpoint_every=run.checkpoint_every,
        log_every=updates_per_row(parts.config, parts.ranks.world_size),
        max_updates=parts.options.profile_updates,
    )


TD3 = Algorithm(look, follow, open_environments, assemble)
