"""The study's plan: which runs there are, and what each is started with.

All lies in one folder, so that a study that was interrupted goes on where it was:

    recipes/          each arm's recipe as it was when the study began
    study.json        what was set beside the recipes
    logs/runs/        the runs, one for each arm, layout and seed; checkpoints/ beside it
    output/           what the runs printed
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import PROJECT
from benchmarks.study_folder import file_name, is_finished, keep_study, recipe_copy
from training.reports.rows import RUNS

RECIPES = PROJECT / "configs" / "MiniGrid"
# One torch thread and one worker process, so that runs side by side share the machine evenly.
ALONE = ("--set", "LearnerThreads=1", "--num_workers", "1")


@dataclass(frozen=True)
class Arm:
    """One method of the study: a recipe of configs/MiniGrid, and keys set beside it."""

    recipe: str
    overrides: tuple[str, ...] = ()


ARMS: Mapping[str, Arm] = {
    "PPO": Arm("config_ppo00.conf"),
    "RND": Arm("config_rnd00.conf"),
    "RND+BYOL": Arm("config_rnd_byol00.conf"),
    "RND+Barlow-Twins": Arm("config_rnd_barlow00.conf"),
    "modified RND+BYOL": Arm("config_modified_rnd_byol00.conf"),
    "BYOL-Explore": Arm("config_byol_explore00.conf"),
}


@dataclass(frozen=True)
class Job:
    """One run: an arm on a layout with a seed."""

    arm: str
    layout: int
    seed: int

    @property
    def name(self) -> str:
        """The run's name under logs/runs."""
        return f"{file_name(self.arm)}_layout{self.layout}_seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a study.

    Attributes:
        folder: holds everything; absolute.
        arms: by name, in the order of the tables.
        layouts, seeds: every arm runs on every layout with every seed.
        env_steps: of each run.
        overrides: Key=Value set in all runs.
        recipes: the folder of the arms' recipes.
    """

    folder: Path
    arms: Mapping[str, Arm]
    layouts: Sequence[int]
    seeds: Sequence[int]
    env_steps: int
    overrides: Sequence[str] = ()
    recipes: Path = RECIPES

    @property
    def jobs(self) -> list[Job]:
        """Every run, seed by seed, so that all arms have some before one has all."""
        return [
            Job(arm, layout, seed)
            for seed in self.seeds
            for layout in self.layouts
            for arm in self.arms
        ]

    def run_folder(self, job: Job) -> Path:
        """Return the folder of a run's figures."""
        return self.folder / RUNS / job.name

    def is_done(self, job: Job) -> bool:
        """Whether a run has come to its end, and to as many env steps as asked for."""
        return is_finished(self.run_folder(job), self.env_steps)

    def arguments(self, job: Job) -> list[str]:
        """Return main.py's flags for a run, which starts or goes on."""
        arm = self.arms[job.arm]
        settings = [*self.overrides, *arm.overrides, f"LayoutSeed={job.layout}"]
        return [
            "--train",
            *("--config_path", str(recipe_copy(self.folder, job.arm))),
            *(part for setting in settings for part in ("--set", setting)),
            *ALONE,
            *("--seed", str(job.seed), "--max_env_steps", str(self.env_steps)),
            *("--log_name", job.name, "--save_model_path", f"checkpoints/{job.name}.ckpt"),
            "--resume",
        ]


def prepare(plan: Plan) -> None:
    """Make the study's folder, or see that what lies there belongs to the same study.

    More arms, layouts or seeds may be asked for later, and more env steps where no recipe changes
    anything over them; other recipes or keys set beside them would make runs that cannot be
    compared.

    Raises:
        ConfigurationError: they differ, or a recipe is missing.
        StorageError: the folder cannot be written.
    """
    recipes = {name: plan.recipes / arm.recipe for name, arm in plan.arms.items()}
    settings = {"set": list(plan.overrides)}
    keep_study(plan.folder, settings, recipes, plan.overrides, plan.env_steps)
