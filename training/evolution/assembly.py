"""The composition root of CMA-ES: from options and a configuration to what evolves."""

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.controllers.cma_es import CMAES, strategy_bytes
from agents.controllers.controller import Controller
from agents.controllers.sight import Sight
from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig, dump_config
from configs.schema import Config
from configs.sizes import bytes_text
from configs.typed import typed
from training.algorithm import Algorithm, Train
from training.building.controllers import make_controller
from training.building.seeding import stream_seed
from training.checkpoints.agent_memory import choose_memory
from training.checkpoints.continuation import Start, stored_config
from training.checkpoints.controller import FACT as CONTROLLER
from training.checkpoints.controller import Models, kept_models
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import choose_encoder
from training.checkpoints.storage import Payload, Saver
from training.checkpoints.unstated import keep_unstated
from training.dreaming.opening import open_pool
from training.evolution.arena import Arena
from training.evolution.displays import open_displays
from training.evolution.evolver import Evolver, Schedule
from training.evolution.run_state import EvolutionState, kept_strategy
from training.evolution.showing import Showing
from training.folders.versions import collect_versions
from training.loop.episodes import EpisodeLog
from training.loop.resuming import differences
from training.parts import Parts
from training.ranks.agreement import on_first_rank
from workers.environment_pool import EnvironmentPool
from workers.opening import Sizes
from workers.processes.free_memory import available_memory


def look(parts: Parts, start: Start) -> Parts:
    """Read the models that controllers are to look through.

    Raises:
        CheckpointError: one cannot be used.
        ConfigurationError: there is none, and frames are all there is to see; or what is asked for
            is there for another agent alone.
    """
    config = parts.config
    if start.source is None and config.observes_pixels and config.encoder_path is None:
        raise ConfigurationError(
            "Agent = CMA-ES with pixels and VisionModel = none: a controller sees latents of "
            f"frames, not frames; add {typed('--vision_model', 'DIR')}, the folder that "
            "--train_encoder wrote, or set ObservationType = state"
        )
    if parts.options.pytorch_profiling:
        raise ConfigurationError("--pytorch_profiling is there for Agent = PPO alone")
    parts = replace(parts, loaded=_whole_games(parts.loaded))
    encoder = choose_encoder(parts.ranks, start, parts.config)
    return replace(parts, encoder=encoder, memory=choose_memory(parts.ranks, start, parts.config))


def follow(parts: Parts, start: Start, payload: Payload) -> Parts:
    """Keep of a checkpoint what the recipe leaves open, and the models in it.

    Folders of models are not looked at again, whatever the recipe says.
    """
    assert start.source is not None
    loaded = keep_unstated(parts.loaded, payload)
    stored = stored_config(payload["facts"], start.source).evolution
    folders = {"vision_model": stored.vision_model, "memory_model": stored.memory_model}
    evolution = loaded.config.evolution.model_copy(update=folders)
    loaded = replace(loaded, config=loaded.config.model_copy(update={"evolution": evolution}))
    _check_population(loaded.config, payload, start.source)
    models = kept_models(payload, loaded.config, start.source)
    return replace(parts, loaded=loaded, encoder=models.encoder, memory=models.memory)


def make_pool(parts: Parts, steps_before: int) -> EnvironmentPool:
    """Start this rank's environments: no more than it has episodes in a generation.

    All that is refused is refused here: later an older run of this name would be replaced by then.

    Raises:
        ConfigurationError: their episodes may never end, the models are of others, or there is no
            room for CMA-ES.
    """
    del steps_before  # every generation resets them by its own seeds
    pool = _open_capped(parts)
    try:
        controller = make_controller(parts.config, pool.spec, Models(parts.encoder, parts.memory))
        on_first_rank(parts.ranks, lambda: _check_memory(controller))
    except ConfigurationError:
        pool.close()
        raise
    return pool


def _open_capped(parts: Parts) -> EnvironmentPool:
    """Start the environments with episodes of at most RolloutMaxSteps."""
    pool = _open(parts, parts.config)
    cap, limit = parts.config.evolution.rollout_max_steps, pool.spec.max_episode_steps
    if cap != "auto" and (limit is None or cap < limit):
        pool.close()
        environment = parts.config.environment.model_copy(update={"max_episode_steps": cap})
        pool = _open(parts, parts.config.model_copy(update={"environment": environment}))
    elif limit is None:
        pool.close()
        raise ConfigurationError(
            f"the episodes of {pool.spec.env_id} have no limit: set RolloutMaxSteps"
        )
    return pool


def assemble(
    parts: Parts, payload: Payload | None, pool: EnvironmentPool, stack: ExitStack
) -> Train:
    """Build all parts of a run, lay out what is continued, and put them together."""
    config, ranks, session = parts.config, parts.ranks, parts.session
    models = Models(parts.encoder, parts.memory)
    controller = make_controller(config, pool.spec, models)
    strategy = on_first_rank(ranks, lambda: _strategy(parts, controller, payload))
    facts = _facts(parts, pool, controller) | models.facts
    state = EvolutionState(
        models.weights,
        ranks,
        Saver(parts.options.save_model_path),
        facts,
        session.remember_checkpoint,
    )
    episodes = EpisodeLog()
    notes = _lay_out(parts, payload, state, episodes, facts)
    metrics, progress = open_displays(parts, pool, controller, notes, stack)
    showing = stack.enter_context(Showing(ranks, pool, metrics, progress))
    evolver = Evolver(
        strategy=strategy,
        arena=Arena(
            pool,
            Sight(
                controller,
                session.device,
                encoder=models.encoder_module,
                memory=models.memory_module,
            ),
            ranks,
            parts.stop,
            showing.tick,
        ),
        state=state,
        episodes=episodes,
        showing=showing,
        schedule=_schedule(parts),
        clock=session.clock,
        ranks=ranks,
    )
    return evolver.run


def _lay_out(
    parts: Parts,
    payload: Payload | None,
    state: EvolutionState,
    episodes: EpisodeLog,
    facts: dict[str, Any],
) -> list[str]:
    """Lay out a checkpoint, if there is one; return what the user should know."""
    if payload is None:
        return []
    clock, generations = parts.session.clock, parts.config.evolution.generations
    with laid_out("state", parts.session.source or Path("the checkpoint")):
        state.restore(payload, clock, episodes)
    notes = [f"continued at generation {clock.updates:,}", *differences(payload["facts"], facts)]
    if clock.updates >= generations:
        notes.append(
            f"nothing is left to train: Generations = {generations:,} is reached; a higher "
            f"{typed('--cma_steps')} goes on"
        )
    return notes


def _whole_games(loaded: LoadedConfig) -> LoadedConfig:
    """Let a lost life end no episode, and actions be in the environment's own units."""
    environment = loaded.config.environment.model_copy(
        update={"life_done": False, "action_mapping": "clip"}
    )
    return replace(loaded, config=loaded.config.model_copy(update={"environment": environment}))


def _open(parts: Parts, config: Config) -> EnvironmentPool:
    run, section, ranks = config.run, config.evolution, parts.ranks
    episodes = section.population_size * section.trials_per_member
    sizes = Sizes(
        num_environments=min(run.num_envs, -(-episodes // ranks.world_size)),
        num_groups=1,
        base_seed=stream_seed(run.seed, "environments of controllers"),
        first_index=0,
        num_workers=parts.options.num_workers,
        cores=parts.session.place.cores,
        made_alike=True,
    )
    return open_pool(config, sizes)


def _strategy(parts: Parts, controller: Controller, payload: Payload | None) -> CMAES:
    """Return the strategy, new or as it was.

    Raises:
        CheckpointError: that of the checkpoint is of another controller.
    """
    section, seed = parts.config.evolution, parts.config.run.seed
    if payload is None:
        return CMAES(
            np.zeros(controller.num_parameters),
            deviation=section.initial_deviation,
            population_size=section.population_size,
            seed=stream_seed(seed, "evolution"),
        )
    return kept_strategy(payload, controller, parts.session.source or Path("the checkpoint"))


def _check_population(config: Config, payload: Payload, source: Path) -> None:
    """Refuse another population than the checkpoint's.

    Raises:
        CheckpointError: with both sizes.
    """
    wanted = config.evolution.population_size
    found = stored_config(payload["facts"], source).evolution.population_size
    if found != wanted:
        raise CheckpointError(
            f"{source}: its PopulationSize = {found}, which goes on as it is; set that in the "
            f"place of {wanted}, or begin another run"
        )


def _check_memory(controller: Controller) -> None:
    num, free = controller.num_parameters, available_memory()
    needed = strategy_bytes(num)
    if needed > free:
        raise ConfigurationError(
            f"ControllerHiddenSize = {controller.hidden_units} with {controller.inputs.size:,} "
            f"inputs: CMA-ES would hold {bytes_text(needed)} for matrices over all pairs of "
            f"{num:,} parameters, and {bytes_text(free)} are free; choose fewer hidden units, or "
            "an encoder of fewer features"
        )


def _facts(parts: Parts, pool: EnvironmentPool, controller: Controller) -> dict[str, Any]:
    """Return what a checkpoint tells of its run: text and numbers only."""
    return {
        "log_name": parts.options.log_name,
        "config": dump_config(parts.config),
        "spec": json.dumps(asdict(pool.spec)),
        CONTROLLER: json.dumps(controller.facts),
        "device": parts.ranks.device.type,
        "threads": torch.get_num_threads(),
        "versions": collect_versions(),
    }


def _schedule(parts: Parts) -> Schedule:
    section, run = parts.config.evolution, parts.config.run
    most = section.generations
    if parts.options.profile_updates is not None:
        most = parts.session.clock.updates + parts.options.profile_updates
    return Schedule(
        seed=run.seed,
        generations=min(section.generations, most),
        total_env_steps=run.total_env_steps,
        trials=section.trials_per_member,
        evaluate_every=section.evaluate_every,
        evaluation_trials=section.evaluation_trials,
        checkpoint_every=run.checkpoint_every,
    )


CMA_ES = Algorithm(look, follow, make_pool, assemble)
