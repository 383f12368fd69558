"""The plan: which encoders are trained on play, which runs there are, what each is started with.

models/data_v0, encoder_v0, probe_v0.html       random play, what it taught, and how well
recipes/          each arm's recipe as it was when the study began
logs/runs/        the runs, one for each environment, arm and seed; checkpoints/ beside it
output/           what all of these printed
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.many_runs import Task
from benchmarks.runs import PROJECT
from benchmarks.study_folder import (
    evaluation_file,
    is_finished,
    keep_study,
    recipe_copy,
)
from configs.errors import ConfigurationError
from configs.loading import load_config
from training.collecting.numbering import episode_id
from training.folders.files import read_json
from training.reports.rows import RUNS
from trajectories.manifest import SPLITS, split_of

RECIPES = PROJECT / "configs" / "Sprites"
ENVIRONMENTS = ("v0", "v1", "v2")
SUPERVISED_STEPS = 100  # of the probe's baseline that is trained end to end
UNSEEN = 1000  # evaluations have seeds that far from training's


@dataclass(frozen=True)
class Arm:
    """What a policy looks through: a recipe of configs/Sprites, and keys set beside it."""

    recipe: str
    overrides: tuple[str, ...] = ()

    @property
    def sees_state(self) -> bool:
        """Whether the policy is shown positions, and needs no encoder."""
        return self.recipe == "ppo_oracle.conf"


ARMS: Mapping[str, Arm] = {
    "oracle": Arm("ppo_oracle.conf"),
    "frozen": Arm("ppo_frozen.conf"),
    "finetune": Arm("ppo_finetune.conf"),
    "finetune_gamma99": Arm("ppo_finetune.conf", ("Gamma=0.99",)),
    "brain_split": Arm("ppo_brain_split.conf"),
    "scratch": Arm("ppo_scratch.conf"),
}


@dataclass(frozen=True)
class Job:
    """One run: an arm in an environment with a seed."""

    environment: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        """The run's name under logs/runs."""
        return f"{self.arm}_{self.environment}_seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a study.

    Attributes:
        folder: holds everything; absolute.
        environments: of ENVIRONMENTS.
        arms: of ARMS, in the order of the tables.
        seeds: every arm runs in every environment with every seed.
        env_steps: of each run.
        rollouts: episodes of random play that an encoder learns from.
        encoder_steps: optimiser steps of an encoder.
        episodes: of the evaluation at the end.
        overrides: Key=Value set in all runs.
    """

    folder: Path
    environments: Sequence[str]
    arms: Sequence[str]
    seeds: Sequence[int]
    env_steps: int
    rollouts: int
    encoder_steps: int
    episodes: int
    overrides: Sequence[str] = ()

    @property
    def jobs(self) -> list[Job]:
        """Every run, seed by seed, so that all arms have some before one has all."""
        return [
            Job(environment, arm, seed)
            for seed in self.seeds
            for environment in self.environments
            for arm in self.arms
        ]

    def models(self) -> list[Task]:
        """Return what makes the encoder of each environment that has none yet."""
        if all(ARMS[arm].sees_state for arm in self.arms):
            return []
        missing = [each for each in self.environments if self.probe(each) is None]
        return [Task(f"encoder_{each}", self._encoder(each)) for each in missing]

    def task(self, job: Job) -> Task:
        """Return what is left to do of a run: training, evaluation, both or nothing."""
        if not self.is_trained(job):
            return Task(job.name, [self._training(job), self._evaluation(job)])
        return Task(job.name, [] if self.report(job) else [self._evaluation(job)])

    def _encoder(self, environment: str) -> list[list[str]]:
        data, model = f"models/data_{environment}", f"models/encoder_{environment}"
        collect = [
            *("--collect", "--config_path", str(RECIPES / "collect.conf")),
            *("--set", f"EnvID=Sprites-{environment}", "--policy", "random"),
            *("--num_rollouts", str(self.rollouts), "--out_dir", data, "--resume"),
        ]
        train = [
            *("--train_encoder", "--config_path", str(RECIPES / "reward_induced.conf")),
            *("--dataset", data, "--model_dir", model, "--set", "LearnerThreads=1"),
            *("--train_steps", str(self.encoder_steps), "--resume"),
        ]
        probe = [
            *("--probe", "--model", model, "--dataset", data),
            *("--supervised_steps", str(SUPERVISED_STEPS)),
            *("--out", f"models/probe_{environment}.html"),
        ]
        trained = is_finished(self.folder / model)
        return [probe] if trained else [collect, train, probe]

    def _training(self, job: Job) -> list[str]:
        """Return main.py's flags for a run, which starts or goes on."""
        arm = ARMS[job.arm]
        state = "State" if arm.sees_state else ""
        settings = [f"EnvID=Sprites{state}-{job.environment}", "LearnerThreads=1"]
        if not arm.sees_state:
            settings.append(f"Backbone=encoder:models/encoder_{job.environment}")
        settings += [*arm.overrides, *self.overrides]
        return [
            *("--train", "--config_path", str(recipe_copy(self.folder, job.arm))),
            *(part for setting in settings for part in ("--set", setting)),
            *("--seed", str(job.seed), "--max_env_steps", str(self.env_steps)),
            *("--log_name", job.name, "--save_model_path", self._checkpoint(job), "--resume"),
        ]

    def _evaluation(self, job: Job) -> list[str]:
        """Return main.py's flags for the evaluation of a run; the first seed's games are kept."""
        return [
            *("--eval", "--config_path", f"{RUNS}/{job.name}/config.conf"),
            *("--log_name", job.name, "--load_model_path", self._checkpoint(job)),
            *("--episodes", str(self.episodes), "--seed", str(UNSEEN + job.seed)),
            *(["--save_rollouts"] if job.seed == self.seeds[0] else []),
        ]

    def _checkpoint(self, job: Job) -> str:
        """Return where a run saves, from the study's folder."""
        return f"checkpoints/{job.name}.ckpt"

    def run_folder(self, job: Job) -> Path:
        """Return the folder of a run's figures."""
        return self.folder / RUNS / job.name

    def is_trained(self, job: Job) -> bool:
        """Whether a run has come to its end, and to as many env steps as asked for."""
        return is_finished(self.run_folder(job), self.env_steps)

    def report(self, job: Job) -> Mapping[str, Any] | None:
        """Return a run's evaluation after as many env steps; None before there is one."""
        path = self._report_file(job)
        return None if path is None else read_json(path)

    def games(self, job: Job) -> Path | None:
        """Return where the games of that evaluation lie; None where they were not kept."""
        path = self._report_file(job)
        folder = None if path is None else path.with_name(f"{path.stem}_rollouts")
        return folder if folder is not None and folder.is_dir() else None

    def _report_file(self, job: Job) -> Path | None:
        return evaluation_file(
            self.run_folder(job),
            env_steps=self.env_steps,
            episodes=self.episodes,
            seed=UNSEEN + job.seed,
            action_choice="sampled",
        )

    def probe(self, environment: str) -> Mapping[str, Any] | None:
        """Return what an encoder knows of the state; None before it has been looked at."""
        return read_json(self.folder / "models" / f"probe_{environment}.json")


def prepare(plan: Plan) -> None:
    """Make the study's folder, or see that what lies there belongs to the same study.

    More environments, arms or seeds may be asked for later; not other env steps, over which the
    recipes' learning rates fall.

    Raises:
        ConfigurationError: something else differs, or encoders would have too few rollouts.
        StorageError: the folder cannot be written.
    """
    if plan.models():
        check_rollouts(plan.rollouts)
    settings = {
        "rollouts": plan.rollouts,
        "encoder_steps": plan.encoder_steps,
        "set": list(plan.overrides),
    }
    recipes = {name: RECIPES / ARMS[name].recipe for name in plan.arms}
    keep_study(plan.folder, settings, recipes, plan.overrides, plan.env_steps)


def check_rollouts(rollouts: int) -> None:
    """Refuse too few episodes to learn an encoder from, before any is collected.

    An episode of sprites is as long as one window, so a batch takes as many as it has samples; and
    an encoder is judged on episodes that were held out.

    Raises:
        ConfigurationError: says how many are enough.
    """
    batch = load_config(RECIPES / "reward_induced.conf").config.encoder.batch_size
    seed = load_config(RECIPES / "collect.conf").config.run.seed
    found: Counter[str] = Counter()
    for enough in itertools.count(1):
        found[split_of(episode_id(seed, enough - 1), SPLITS)] += 1
        if found["train"] >= batch and found["validation"]:
            break
    if rollouts < enough:
        raise ConfigurationError(
            f"--rollouts {rollouts}: a batch of an encoder (reward_induced.conf) is {batch} "
            f"episodes of those to train on, about four fifths of all, and at least one is held "
            f"out; give at least --rollouts {enough}"
        )
