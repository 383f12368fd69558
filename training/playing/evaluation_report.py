"""The report of an evaluation: what the episodes came to, as a file and on the terminal."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from training.checkpoints.payload_form import laid_out
from training.checkpoints.protocol import changes_text, protocol_of
from training.figures.statistics import summarize
from training.folders.files import replace_file
from training.live.console import final_message
from training.loop.episodes import EpisodeLog
from training.options import USUAL_EPISODES, RunOptions
from training.playing.loaded_agent import CERTAIN, LoadedAgent, action_choice
from training.playing.player import environment_seeds, episode_shares, usual_environments
from workers.shared.protocol import EpisodeSummary

FEW_EPISODES = 10  # an interval of fewer is wide: the quantile is above 2.2, the root below 3.2
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


def stem_of(
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
    stem = stem_of(
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
        few = (summary.get("n") or 0) < FEW_EPISODES
        text += " (wide, of few episodes)" if few and summary.get("std") else ""
    return f"{text}  min {figures['min']}  max {figures['max']}"
