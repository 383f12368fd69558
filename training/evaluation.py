"""A checkpoint, N episodes, a report, a video."""

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig
from configs.schema import Config
from training.checkpoint import Payload, load_payload
from training.compatibility import check_fit, stated_fields
from training.continuation import LOGS, stored_config
from training.distributed import choose_device, die_with_torchrun, read_place, set_threads
from training.evaluation_curves import show_evaluation
from training.evaluation_progress import EvaluationProgress
from training.files import replace_file
from training.launch import learner_threads, set_up_logging
from training.options import RunOptions
from training.payload_form import check_form, laid_out
from training.player import Player, play_episodes
from training.progress import final_message
from training.run_folder import validate_log_name
from training.seeding import stream_seed
from training.statistics_report import summarize
from training.video import VideoWriter, caption_frame
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.pool import WorkerPool
from workers.protocol import EpisodeSummary

DEFAULT_ENVIRONMENTS = 8
FRAMES_PER_SECOND = 60  # of the consoles; an env step shows every FrameSkip-th frame
STATE_FRAMES_PER_SECOND = 30


Summary = dict[str, float | None]
"""See training.statistics_report.summarize."""


@dataclass(frozen=True)
class EvaluationReport:
    """What the episodes came to; see `training.statistics_report` for the summaries."""

    checkpoint: str
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

    def figures(self) -> dict[str, float]:
        """Return what is drawn; each way of choosing actions has curves of its own."""
        means = {"score": self.score["mean"], "length": self.length["mean"]}
        means |= {name: summary["mean"] for name, summary in self.metrics.items()}
        if self.rooms:
            means["rooms"] = float(len(self.rooms))
        return {
            f"{name}_{self.action_choice}": mean for name, mean in means.items() if mean is not None
        }


def evaluate_checkpoint(options: RunOptions, loaded: LoadedConfig) -> int:
    """Play the episodes asked for under the training protocol; print and write a report.

    Environment and networks come from the checkpoint; seed and environments of this process from
    the command line or the .conf file.

    Raises:
        ConfigurationError: where there is more than one process.
        CheckpointError: where the checkpoint cannot be read or contradicts the configuration.
    """
    die_with_torchrun()
    place = read_place()
    if place.world_size != 1:
        raise ConfigurationError(
            f"--eval needs exactly one process, but there are {place.world_size}: the episodes "
            "asked for are played and counted once; use --nproc_per_node 1 and --nnodes 1"
        )
    log_name = validate_log_name(options.log_name)
    assert options.load_model_path is not None  # main.py asks for it
    device = choose_device(place, options.gpu_id)
    set_up_logging(place, verbose=loaded.config.run.verbose_logging)
    set_threads(device, learner_threads(loaded.config, place))
    config, payload, player = load_player(
        options.load_model_path, loaded, device, greedy=options.greedy
    )
    num_envs = _num_environments(options, loaded)
    with (
        WorkerPool(
            functools.partial(make_environment, config.environment),
            num_environments=num_envs,
            num_processes=min(options.num_workers or place.cores, num_envs),
            base_seed=stream_seed(loaded.config.run.seed, "evaluation environments"),
            step_timeout=config.run.step_timeout,
            reset_timeout=config.run.reset_timeout,
            max_restarts=config.run.max_worker_restarts,
        ) as pool,
        EvaluationProgress(options.episodes) as progress,
    ):
        episodes = play_episodes(pool, player, options.episodes, progress.update)
    report = make_report(options, config, payload, loaded.config.run.seed, episodes)
    folder = LOGS / "runs" / log_name / "evaluation"
    path = write_report(report, folder)
    video = None
    if options.video:
        video = record_video(config, player, path.with_suffix(".mp4"), loaded.config.run.seed)
        final_message(f"video       {video}")
    curves = LOGS / "tb_logs" / log_name
    show_evaluation(curves, path.stem, report.env_steps_trained, report.figures(), video)
    return 0


def load_player(
    path: Path, loaded: LoadedConfig, device: torch.device, *, greedy: bool
) -> tuple[Config, Payload, Player]:
    """Return the checkpoint's own configuration, what it holds, and its policy at play.

    Raises:
        CheckpointError: it cannot be read, contradicts `loaded`, or does not fit itself.
    """
    payload = load_payload(path)
    check_form(payload, path)
    config = stored_config(payload["facts"], path)
    check_fit(loaded.config, config, str(path), stated_fields(loaded))
    check_import(loaded.config, config, path)
    with laid_out("policy", path):
        player = Player(config, payload, device, loaded.config.run.seed, greedy=greedy)
    return config, payload, player


def check_import(wanted: Config, found: Config, path: Path) -> None:
    """Refuse to import what only the checkpoint names: a stranger's must not choose that.

    Raises:
        CheckpointError: its EnvID is module:id, and file and command line do not say the same.
    """
    env_id = found.environment.env_id
    module, colon, _ = env_id.rpartition(":")
    if colon and wanted.environment.env_id != env_id:
        raise CheckpointError(
            f"{path}: its EnvID = {env_id} would import the module {module}; where you trust that, "
            f"say so yourself: --set EnvType={found.environment.env_type} --set EnvID={env_id}"
        )


def make_report(
    options: RunOptions,
    config: Config,
    payload: Payload,
    seed: int,
    episodes: list[EpisodeSummary],
) -> EvaluationReport:
    """Summarise the episodes."""
    scores = [episode.score for episode in episodes]
    names = sorted({name for episode in episodes for name in episode.metrics})
    return EvaluationReport(
        checkpoint=str(options.load_model_path),
        env_id=config.environment.env_id,
        env_steps_trained=payload["env_steps"],
        seed=seed,
        action_choice="greedy" if options.greedy else "sampled",
        episodes=len(episodes),
        score=summarize(scores),
        length=summarize([float(episode.length) for episode in episodes]),
        metrics={
            name: summarize([e.metrics[name] for e in episodes if name in e.metrics])
            for name in names
        },
        rooms=sorted({room for episode in episodes for room in episode.rooms}),
        scores=scores,
    )


def write_report(report: EvaluationReport, folder: Path) -> Path:
    """Print the report and write it as JSON; return the file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(report.checkpoint).stem
    name = f"{stem}_{report.env_steps_trained}_{report.action_choice}_seed{report.seed}.json"
    path = folder / name
    replace_file(path, (json.dumps(asdict(report), indent=2) + "\n").encode())
    lines = [
        f"evaluated   {report.checkpoint} ({report.env_steps_trained:,} env steps) on "
        f"{report.env_id}, {report.episodes} episodes, actions {report.action_choice}",
        f"score       {_figures(report.score)}",
        f"length      {_figures(report.length)}, in env steps",
    ]
    lines += [f"{key:<11} {_figures(value)}" for key, value in report.metrics.items()]
    if report.rooms:
        lines.append(f"rooms       {len(report.rooms)}: {', '.join(map(str, report.rooms))}")
    final_message("\n".join([*lines, f"report      {path}"]))
    return path


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


def record_video(config: Config, player: Player, path: Path, seed: int) -> Path:
    """Play one episode and write its real screen, captioned, as an mp4; return the path."""
    section = config.environment
    if player.spec.frame_skip > 1:
        rate = FRAMES_PER_SECOND / player.spec.frame_skip
    else:
        rate = float(STATE_FRAMES_PER_SECOND)
    environment = make_environment(section)
    try:
        observation, _ = environment.reset(seed=stream_seed(seed, "evaluation video"))
        screen = captioned(environment, 0, 0.0)
        frames = player.remember(torch.from_numpy(observation).unsqueeze(0))
        with VideoWriter(path, fps=rate, height=screen.shape[0], width=screen.shape[1]) as video:
            video.write(screen)
            over, steps, score = False, 0, 0.0
            while not over:
                action = player.act(frames)[0].numpy()
                observation, reward, terminated, truncated, info = environment.step(action)
                steps, score = steps + 1, score + float(reward)
                video.write(captioned(environment, steps, score))
                ended = terminated or truncated
                over = ended and info.get("game_over", True)
                if ended and not over:
                    observation, _ = environment.reset()
                newest = torch.from_numpy(observation).unsqueeze(0).to(player.device)
                frames.push(newest, torch.tensor([ended], device=player.device))
    finally:
        environment.close()
    return path


def _num_environments(options: RunOptions, loaded: LoadedConfig) -> int:
    """Return how many environments play: as asked for, else a few; never more than episodes."""
    by_hand = loaded.sources["NumEnv"] == "command line"
    wanted = loaded.config.run.num_envs if by_hand else DEFAULT_ENVIRONMENTS
    return min(wanted, options.episodes)


def captioned(environment: Environment, steps: int, score: float) -> NDArray[np.uint8]:
    """Return the real screen, uint8 [H, W, 3], with what has come of the episode below it."""
    name = environment.environment_spec.env_id
    return caption_frame(environment.render(), [name, f"step {steps}  score {score:g}"])
