"""A checkpoint, N episodes, a report, a video."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.typed import typed
from training.figures.evaluation_curves import show_evaluation
from training.figures.statistics import summarize
from training.folders.files import check_room_for
from training.folders.run_folder import validate_log_name
from training.live.console import final_message, set_up_logging
from training.live.evaluation_progress import EvaluationProgress
from training.options import RunOptions
from training.playing.baselines import BASELINES, in_units_of_the_environment
from training.playing.evaluation_report import Summary, make_report, stem_of, way_of, write_report
from training.playing.film import film_of, why_no_film
from training.playing.loaded_agent import (
    LoadedAgent,
    action_choice,
    check_spec,
    load_agent,
    run_name,
)
from training.playing.player import (
    num_environments,
    open_environments,
    play_episodes,
)
from training.playing.saved_rollouts import SavedRollouts, keep_episodes
from training.ranks.distributed import choose_device, read_place
from training.ranks.threads import learner_threads, set_threads
from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import EpisodeSummary


def evaluate_checkpoint(options: RunOptions, loaded: LoadedConfig) -> int:
    """Play the episodes asked for; print and write a report.

    Environment, networks and protocol come from the checkpoint; seed and environments of this
    process from the command line or the .conf file. What the command line sets of environment and
    protocol holds, and the report says so.

    Raises:
        ConfigurationError: where there is more than one process.
        CheckpointError: where the checkpoint cannot be read, contradicts the configuration, or
            was trained on other spaces than those of the environment.
        StorageError: where the report cannot be written.
    """
    place = read_place()
    if place.world_size != 1:
        raise ConfigurationError(
            f"--eval needs exactly one process, but there are {place.world_size}: the episodes "
            "asked for are played and counted once; use one node and "
            f"{typed('--nproc_per_node', 1)}"
        )
    validate_log_name(options.log_name)
    assert options.load_model_path is not None  # main.py asks for it
    device = choose_device(place, options.gpu_id)
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    agent = load_agent(options.load_model_path, loaded, device, greedy=options.greedy)
    asked = loaded.config.run.learner_threads
    set_threads(device, learner_threads(agent.config, place) if asked == "auto" else asked)
    options = replace(options, log_name=run_name(options, agent))
    check_room_for(_folder(options) / "report.json")  # before hours of games are played for it
    num_envs = num_environments(loaded, options.episodes)
    without_film = why_no_film(agent.config, loaded.config.run.seed) if options.video else None
    if without_film is not None:
        final_message(f"no video    {without_film}; the games are played all the same")
    episodes = _play(options, loaded, agent, num_envs)
    report = make_report(options, agent, loaded.config.run.seed, num_envs, episodes)
    if options.baselines:
        report = replace(report, baselines=_baselines(options, loaded, agent, num_envs))
    path = write_report(report, _folder(options))
    if options.save_rollouts:
        kept = _rollouts_folder(options, agent, loaded.config.run.seed, num_envs)
        final_message(f"rollouts    {kept}")
    video = None
    if options.video and without_film is None:
        video = film_of(agent, path.with_suffix(".mp4"), loaded.config.run.seed)
    curves = options.logs / "tb_logs" / options.log_name
    show_evaluation(curves, path.stem, report.env_steps_trained, report.figures(), video)
    return 0


def _play(
    options: RunOptions, loaded: LoadedConfig, agent: LoadedAgent, num_envs: int
) -> list[EpisodeSummary]:
    """Play the episodes asked for, and keep them if they are to be kept."""
    seed = loaded.config.run.seed
    with open_environments(
        agent.config,
        seed,
        num_envs,
        options.num_workers,
        loaded.config.run.worker_backend,
        with_states=options.save_rollouts,
    ) as pool:
        check_spec(agent, pool.spec)
        with (
            _saver(options, agent, pool, seed) as saved,
            EvaluationProgress(options.episodes, pool.spec.max_episode_steps) as progress,
        ):
            return play_episodes(
                pool, agent.player, options.episodes, progress.update, witness=saved
            )


def _baselines(
    options: RunOptions, loaded: LoadedConfig, agent: LoadedAgent, num_envs: int
) -> dict[str, Summary]:
    """Let players that know nothing play as many episodes, by the same protocol."""
    run, found = loaded.config.run, {}
    config = in_units_of_the_environment(agent.config)
    for name, make in BASELINES.items():
        with (
            open_environments(
                config, run.seed, num_envs, options.num_workers, run.worker_backend
            ) as pool,
            EvaluationProgress(options.episodes, pool.spec.max_episode_steps) as progress,
        ):
            player = make(pool.spec, run.seed)
            episodes = play_episodes(pool, player, options.episodes, progress.update)
        found[name] = summarize([episode.score for episode in episodes])
    return found


def _folder(options: RunOptions) -> Path:
    return options.logs / "runs" / options.log_name / "evaluation"


def _rollouts_folder(
    options: RunOptions, agent: LoadedAgent, seed: int, num_environments: int
) -> Path:
    """Return where the episodes are kept: beside the report, under its name."""
    way = way_of(action_choice(agent, greedy=options.greedy), agent.protocol_changes)
    env_steps = agent.payload["env_steps"]
    stem = stem_of(agent.path, env_steps, way, seed, options.episodes, num_environments)
    return _folder(options) / f"{stem}_rollouts"


def _saver(
    options: RunOptions, agent: LoadedAgent, pool: EnvironmentPool, seed: int
) -> AbstractContextManager[SavedRollouts | None]:
    """Return what keeps the episodes, if they are to be kept."""
    if not options.save_rollouts:
        return nullcontext()
    return keep_episodes(
        agent,
        pool,
        _rollouts_folder(options, agent, seed, pool.num_environments),
        episodes=options.episodes,
        seed=seed,
        greedy=options.greedy,
        with_info=options.save_info,
        command_line=options.command_line,
    )
