"""A checkpoint, N episodes, a report, a video."""

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.typed import typed
from training.checkpoints.payload_form import laid_out
from training.checkpoints.protocol import changes_text, protocol_of
from training.figures.evaluation_curves import show_evaluation
from training.figures.statistics import summarize
from training.folders.files import check_room_for, replace_file
from training.folders.run_folder import validate_log_name
from training.live.console import final_message, set_up_logging
from training.live.evaluation_progress import EvaluationProgress
from training.loop.episodes import EpisodeLog
from training.options import USUAL_EPISODES, RunOptions
from training.playing.baselines import BASELINES, in_units_of_the_environment
from training.playing.film import film_of, why_no_film
from training.playing.loaded_agent import (
    CERTAIN,
    LoadedAgent,
    action_choice,
    check_spec,
    load_agent,
    run_name,
)
from training.playing.player import (
    environment_seeds,
    episode_shares,
    num_environments,
    open_environments,
    play_episodes,
    usual_environments,
)
from training.playing.saved_rollouts import SavedRollouts, keep_episodes
from training.ranks.distributed import choose_device, read_place
from training.ranks.threads import learner_threads, set_threads
from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import EpisodeSummary

Summary = dict[str, float | None]
"""See training.figures.statistics.summarize."""


@dataclass(frozen=True)
class EvaluationReport:
    """What the episodes came to; see `training.figures.statistics` for the summaries.

    Attributes:
        checkpoint_digest: which training state was played, whatever the file is called.
        environments: the seed of each and how many episodes it played, in the order of `scores`.
        training_score: the mean raw score of the last episodes of training, which are
            `training_episodes`, at most 100; None where none had ended.
        protocol: key -> value of the rules that the episodes were played by.
        protocol_changes: key -> value in training and here, where they differ.
        baselines: the scores of players that know nothing, on episodes of the same seeds.
    """

    checkpoint: str
    checkpoint_digest: str
    env_id: str
    env_steps_trained: int
    seed: int
    action_choice: str
    episodes: int
    score: Summary
    length: Summary
    metrics: dict[str, Summary]
    rooms: list[int]
    scores: list[float]
    environments: list[dict[str, int]]
    training_score: float | None
    training_episodes: int
    protocol: dict[str, str]
    protocol_changes: dict[str, dict[str, str]]
    baselines: dict[str, Summary] = field(default_factory=dict)

    @property
    def way(self) -> str:
        """How it was played, for names: the choice of actions, and what differs from training."""
        return way_of(self.action_choice, self.protocol_changes)

    def figures(self) -> dict[str, float]:
        """Return what is drawn; each way of playing has curves of its own."""
        means = {"score": self.score["mean"], "length": self.length["mean"]}
        means |= {name: summary["mean"] for name, summary in self.metrics.items()}
        if self.rooms:
            means["rooms"] = float(len(self.rooms))
        return {f"{name}_{self.way}": mean for name, mean in means.items() if mean is not None}


def way_of(action_choice: str, changes: Mapping[str, Mapping[str, str]]) -> str:
    """Return how episodes are played, for names."""
    told = (f"{key}-{re.sub(r'[/:, ]+', '-', each['evaluated'])}" for key, each in changes.items())
    return "_".join([action_choice, *told])


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
    stem = _stem(agent.path, env_steps, way, seed, options.episodes, num_environments)
    return _folder(options) / f"{stem}_rollouts"


def _stem(
    checkpoint: Path, env_steps: int, way: str, seed: int, episodes: int, num_environments: int
) -> str:
    """Return what an evaluation's files are called by: all that its scores depend on.

    An unusual number of episodes is named, so that a short look replaces no long evaluation. So is
    one of environments: each has seeds of its own, so that other games are played.
    """
    count = "" if episodes == USUAL_EPISODES else f"_{episodes}episodes"
    if num_environments != usual_environments(episodes):
        count += f"_{num_environments}environments"
    return f"{checkpoint.stem}_{env_steps}_{way}_seed{seed}{count}"


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


def make_report(
    options: RunOptions,
    agent: LoadedAgent,
    seed: int,
    num_environments: int,
    episodes: list[EpisodeSummary],
) -> EvaluationReport:
    """Summarise the episodes."""
    scores = [episode.score for episode in episodes]
    names = sorted({name for episode in episodes for name in episode.metrics})
    in_training = EpisodeLog()
    with laid_out("episodes", agent.path):
        in_training.restore(agent.payload["episodes"])
    return EvaluationReport(
        checkpoint=str(options.load_model_path),
        checkpoint_digest=agent.digest,
        env_id=agent.config.environment.env_id,
        env_steps_trained=agent.payload["env_steps"],
        seed=seed,
        action_choice=action_choice(agent, greedy=options.greedy),
        episodes=len(episodes),
        score=summarize(scores),
        length=summarize([float(episode.length) for episode in episodes]),
        metrics={
            name: summarize([e.metrics[name] for e in episodes if name in e.metrics])
            for name in names
        },
        rooms=sorted({room for episode in episodes for room in episode.rooms}),
        scores=scores,
        environments=[
            {"seed": its_seed, "episodes": share}
            for its_seed, share in zip(
                environment_seeds(seed, num_environments),
                episode_shares(len(episodes), num_environments),
                strict=True,
            )
        ],
        training_score=in_training.mean_score,
        training_episodes=in_training.num_last,
        protocol=protocol_of(agent.config),
        protocol_changes={key: dict(each) for key, each in agent.protocol_changes.items()},
    )


def write_report(report: EvaluationReport, folder: Path) -> Path:
    """Print the report and write it as JSON; return the file's path.

    Baselines of the report that it replaces are kept, where they played the same episodes.
    """
    stem = _stem(
        Path(report.checkpoint),
        report.env_steps_trained,
        report.way,
        report.seed,
        report.episodes,
        len(report.environments),
    )
    path = folder / f"{stem}.json"
    if not report.baselines:
        report = replace(report, baselines=_baselines_before(path, report))
    replace_file(path, (json.dumps(asdict(report), indent=2) + "\n").encode())
    lines = [
        f"evaluated   {report.checkpoint} ({report.env_steps_trained:,} env steps) on "
        f"{report.env_id}, {report.episodes} episodes, actions {report.action_choice}, "
        f"{_beside_training(report)}",
        *_protocol_lines(report),
        f"score       {_figures(report.score)}",
        *(f"{name:<11} {_figures(score)}" for name, score in report.baselines.items()),
        f"length      {_figures(report.length)}, in env steps",
    ]
    lines += [f"{key:<11} {_figures(value)}" for key, value in report.metrics.items()]
    if report.rooms:
        lines.append(f"rooms       {len(report.rooms)}: {', '.join(map(str, report.rooms))}")
    final_message("\n".join([*lines, f"report      {path}"]))
    return path


def _baselines_before(path: Path, report: EvaluationReport) -> dict[str, Summary]:
    """Return the baselines of an earlier report, if there are any of the same episodes."""
    try:
        before = json.loads(path.read_bytes())
        names = ("env_id", "environments", "protocol")
        alike = all(before[name] == asdict(report)[name] for name in names)
        return dict(before["baselines"]) if alike else {}
    except (OSError, ValueError, KeyError, TypeError):  # none before, or not ours
        return {}


def _protocol_lines(report: EvaluationReport) -> list[str]:
    """Return a line that says in what the protocol was not training's, if it was not."""
    words = changes_text(report.protocol_changes)
    return [f"protocol    not that of training: {words}"] if words else []


def _beside_training(report: EvaluationReport) -> str:
    """Say whose protocol it was, and what training scored, whose actions are always sampled."""
    protocol = "another protocol" if report.protocol_changes else "training's protocol"
    if report.training_score is None:
        return f"{protocol}; in training no episode had ended"
    played = "of whole populations" if report.action_choice == CERTAIN else "sampled"
    return (
        f"{protocol}; in training mean {report.training_score:,.1f} "
        f"(last {report.training_episodes}, {played})"
    )


def _figures(summary: Summary) -> str:
    """Return a summary on one line; one episode has no spread."""
    figures = {name: f"{value:,.2f}" for name, value in summary.items() if value is not None}
    text = f"mean {figures['mean']}"
    if "std" in figures:
        text += (
            f"  std {figures['std']}  95% interval [{figures['interval_low']}, "
            f"{figures['interval_high']}]"
        )
    return f"{text}  min {figures['min']}  max {figures['max']}"
