"""The plan: which models are trained on play, which runs there are, what each is started with.

models/data, models/encoder, models/transition      play without a policy, and what it taught
logs/runs/        the runs, one for each arm and seed; checkpoints/ beside it
output/           what all of these printed
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.many_runs import Task
from benchmarks.runs import PROJECT
from benchmarks.study_folder import evaluation_file, is_finished
from training.folders.files import read_json
from training.reports.rows import RUNS

RECIPES: Mapping[str, Path] = {
    "pendulum": PROJECT / "configs/Pendulum/td3.conf",
    "lunar_lander": PROJECT / "configs/LunarLander/td3.conf",
}
# What the critics see; M1 is an encoder, M2 a model of transitions.
ARMS: Mapping[str, tuple[bool, bool]] = {
    "Q(s, a)": (False, False),
    "Q(M1(s), a)": (True, False),
    "Q(s, a, M2(s, a))": (False, True),
    "Q(M1(s), a, M2(s, a))": (True, True),
}


def plain_name(arm: str) -> str:
    """Return an arm's name for the command line and for names of runs: letters alone."""
    encoded, predicted = ARMS[arm]
    words = [*(["encoded"] if encoded else []), *(["predicted"] if predicted else [])]
    return "_".join(words) or "plain"


ARM_OF: Mapping[str, str] = {plain_name(arm): arm for arm in ARMS}


@dataclass(frozen=True)
class Job:
    """One run: an arm with a seed."""

    arm: str
    seed: int

    @property
    def name(self) -> str:
        """The run's name under logs/runs."""
        return f"{plain_name(self.arm)}_seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a study.

    Attributes:
        folder: holds everything; absolute.
        environment: a key of RECIPES.
        arms, seeds: every arm runs with every seed.
        env_steps: of each run.
        policy: what plays before, "random" or "brownian".
        rollouts: episodes of that.
        model_steps: optimiser steps of either model.
        use: "frozen", or "finetune": the critics' loss trains the models further.
        episodes: of the evaluation at the end.
        overrides: Key=Value set in all runs.
    """

    folder: Path
    environment: str
    arms: Sequence[str]
    seeds: Sequence[int]
    env_steps: int
    policy: str
    rollouts: int
    model_steps: int
    use: str
    episodes: int
    overrides: Sequence[str] = ()

    @property
    def jobs(self) -> list[Job]:
        """Every run, seed by seed, so that all arms have some before one has all."""
        return [Job(arm, seed) for seed in self.seeds for arm in self.arms]

    @property
    def settings(self) -> dict[str, object]:
        """What may not differ within a study."""
        return {
            "environment": self.environment,
            "policy": self.policy,
            "rollouts": self.rollouts,
            "model_steps": self.model_steps,
            "use": self.use,
            "set": list(self.overrides),
        }

    def models(self) -> list[Task]:
        """Return what makes each folder of models/ that is not whole, in the order it is made."""
        data, recipe = "models/data", str(RECIPES[self.environment])
        collect = ["--collect", "--config_path", recipe, "--policy", self.policy]
        play = [*collect, "--num_rollouts", str(self.rollouts), "--out_dir", data, "--resume"]
        tasks = []
        for name, model in (("encoder", "state_autoencoder"), ("transition", "transition")):
            train = [
                *("--train_encoder", "--dataset", data, "--model", model, "--resume"),
                *("--train_steps", str(self.model_steps), "--model_dir", f"models/{name}"),
            ]
            if not is_finished(self.folder / "models" / name):
                tasks.append(Task(name, [train]))
        return [Task("data", [play]), *tasks] if tasks else []

    def task(self, job: Job) -> Task:
        """Return what is left to do of a run: training, evaluation, both or nothing."""
        if self.is_trained(job) and self.report(job) is not None:
            return Task(job.name, [])
        trained = self.is_trained(job)
        return Task(job.name, [*([] if trained else [self.training(job)]), self.evaluation(job)])

    def training(self, job: Job) -> list[str]:
        """Return main.py's flags for a run, which starts or goes on."""
        encoded, predicted = ARMS[job.arm]
        settings = ["LearnerThreads=1", *self.overrides]
        if encoded:
            settings += ["Backbone=encoder:models/encoder", f"Representation={self.use}"]
        if predicted:
            settings += ["TransitionModel=models/transition", f"TransitionUse={self.use}"]
        return [
            *("--train", "--config_path", str(RECIPES[self.environment])),
            *(part for setting in settings for part in ("--set", setting)),
            *("--seed", str(job.seed), "--max_env_steps", str(self.env_steps)),
            *("--log_name", job.name, "--save_model_path", self.checkpoint(job), "--resume"),
        ]

    def evaluation(self, job: Job) -> list[str]:
        """Return main.py's flags for the evaluation of a run."""
        return [
            *("--eval", "--config_path", f"{RUNS}/{job.name}/config.conf"),
            *("--log_name", job.name, "--load_model_path", self.checkpoint(job)),
            *("--greedy", "--episodes", str(self.episodes)),
        ]

    def checkpoint(self, job: Job) -> str:
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
        path = evaluation_file(
            self.run_folder(job),
            env_steps=self.env_steps,
            episodes=self.episodes,
            seed=job.seed,
            action_choice="greedy",
        )
        return None if path is None else read_json(path)
