"""--rollout: a checkpoint alone plays, and leaves a dataset and perhaps a film beside it."""

from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.typed import typed
from training.figures.statistics import summarize
from training.live.console import final_message, set_up_logging
from training.live.evaluation_progress import EvaluationProgress
from training.playing.film import film_of, why_no_film
from training.playing.loaded_agent import LoadedAgent, check_spec, load_agent
from training.playing.player import num_environments, open_environments, play_episodes
from training.playing.saved_rollouts import keep_episodes
from training.ranks.distributed import choose_device, read_place
from training.ranks.threads import learner_threads, set_threads
from workers.shared.protocol import EpisodeSummary

DATASET, FILMS = "rollout", "monitor"  # in the folder that is written, as RLlib calls them


@dataclass(frozen=True)
class RolloutOptions:
    """What the command line asks for; see `main.py --rollout -h`."""

    command_line: str
    checkpoint: Path
    episodes: int
    greedy: bool
    with_info: bool
    film: bool
    out: Path | None
    overwrite: bool
    num_workers: int | None
    gpu_id: int | None

    @property
    def folder(self) -> Path:
        """Where dataset and film go."""
        own = self.checkpoint.with_name(f"{self.checkpoint.stem}_rollout")
        return own if self.out is None else self.out


def roll_out(options: RolloutOptions, loaded: LoadedConfig) -> int:
    """Play the episodes asked for and write them; environment and networks are the checkpoint's.

    Raises:
        ConfigurationError: there is more than one process, or a rollout is there already.
        CheckpointError: the checkpoint cannot be read, contradicts what is typed, or was trained
            on other spaces than those of the environment.
        StorageError: it cannot be written.
    """
    place = read_place()
    if place.world_size != 1:
        raise ConfigurationError(
            f"--rollout needs exactly one process; use {typed('--nproc_per_node', 1)}"
        )
    device, seed = choose_device(place, options.gpu_id), loaded.config.run.seed
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    agent = load_agent(options.checkpoint, loaded, device, greedy=options.greedy)
    set_threads(device, learner_threads(agent.config, place))
    dataset = options.folder / DATASET
    if dataset.exists() and not options.overwrite:
        raise ConfigurationError(
            f"{dataset} is there already; replace it with {typed('--overwrite')}, or name another "
            f"folder with {typed('--out')}"
        )
    without_film = why_no_film(agent.config, seed) if options.film else None
    if without_film is not None:
        final_message(f"no video    {without_film}; the games are played all the same")
    games = _play(options, loaded, agent, dataset)
    scores = summarize([game.score for game in games])
    final_message(
        f"played      {options.checkpoint} ({agent.payload['env_steps']:,} env steps) on "
        f"{agent.config.environment.env_id}, {len(games)} episodes: mean score "
        f"{scores['mean']:,.2f}\n"
        f"rollouts    {dataset}"
    )
    if options.film and without_film is None:
        film_of(agent, options.folder / FILMS / f"{options.checkpoint.stem}.mp4", seed)
    return 0


def _play(
    options: RolloutOptions, loaded: LoadedConfig, agent: LoadedAgent, dataset: Path
) -> list[EpisodeSummary]:
    """Play the episodes asked for and keep them in `dataset`."""
    seed = loaded.config.run.seed
    with open_environments(
        agent.config,
        seed,
        num_environments(loaded, options.episodes),
        options.num_workers,
        with_states=True,
    ) as pool:
        check_spec(agent, pool.spec)  # before an earlier rollout makes room
        with (
            keep_episodes(
                agent,
                pool,
                dataset,
                episodes=options.episodes,
                seed=seed,
                greedy=options.greedy,
                with_info=options.with_info,
                command_line=options.command_line,
            ) as saved,
            EvaluationProgress(options.episodes, pool.spec.max_episode_steps) as progress,
        ):
            return play_episodes(
                pool, agent.player, options.episodes, progress.update, witness=saved
            )
