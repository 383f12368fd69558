"""From the command line to a configuration and a run's options."""

import argparse
import os
import re
import sys
from pathlib import Path

from commands.common import path, typed_recipe
from commands.experiment import (
    keys_of_flags,
    read_experiment,
    started_ranks,
    told_of_local_mode,
)

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.loading import LoadedConfig
    from training.options import RunOptions


class Asked:
    """What recipe and flags come to: the configuration, and what is beside it.

    Attributes:
        loaded: the configuration.
        log_name: the run's name where none is typed.
        num_workers: worker processes of a rank, or None.
        local_dir: the folder of logs and checkpoints.
        first_words: what stands above the start table.
    """

    def __init__(
        self,
        loaded: "LoadedConfig",
        log_name: str,
        num_workers: int | None,
        local_dir: Path,
        first_words: str = "",
    ) -> None:
        self.loaded = loaded
        self.log_name = log_name
        self.num_workers = num_workers
        self.local_dir = local_dir
        self.first_words = first_words

    @property
    def logs(self) -> Path:
        """The folder of all runs' records."""
        return self.local_dir / "logs"


def default_log_name(config_path: Path) -> str:
    """Return a run's name from its recipe: configs/Pong/config_ppo00.conf -> Pong_ppo00."""
    stem = re.sub(r"(^config_|_config$)", "", config_path.stem)
    folder = config_path.parent.name
    name = stem if folder in ("", "configs") else f"{folder}_{stem}"
    return _as_name(name)


def _as_name(name: str) -> str:
    """Return a name without what a file may be called, and a run may not."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def collect_overrides(args: argparse.Namespace) -> list[str]:
    """Return the configuration keys set on the command line, as Key=Value."""
    flags = {
        "Seed": args.seed,
        "NumEnv": args.num_env_per_process,
        "TotalEnvSteps": args.max_env_steps,
        "PopulationSize": args.cma_population_size,
        "TrialsPerMember": args.cma_trials_per_member,
        "Generations": args.cma_steps,
        "RolloutMaxSteps": args.rollout_max_steps,
        "VisionModel": args.vision_model,
        "MemoryModel": args.memory_model,
    }
    of_training = keys_of_flags(args) if args.train else []
    return [
        *args.overrides,
        *(f"{key}={value}" for key, value in flags.items() if value is not None),
        *of_training,
    ]


def prepare_run(args: argparse.Namespace) -> "tuple[RunOptions, LoadedConfig]":
    """Load the recipe; return the run's options and its configuration.

    Raises:
        ConfigurationError: the recipe, the flags or torchrun's variables cannot be used.
    """
    import shlex

    from training.folders.own_command import own_command
    from training.options import USUAL_EPISODES, RunOptions
    from training.ranks.restarts import check_restarts

    check_restarts()
    asked = read_recipe(args)
    given = args.log_name is not None  # an empty one is refused
    log_name = args.log_name if given else asked.log_name
    options = RunOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        log_name=log_name,
        log_name_given=given,
        save_model_path=args.save_model_path
        or asked.local_dir / "checkpoints" / f"{log_name}.ckpt",
        load_model_path=args.load_model_path,
        num_workers=asked.num_workers,
        gpu_id=args.gpu_id,
        resume=args.resume,
        overwrite=args.overwrite,
        profile_updates=args.profile_updates,
        pytorch_profiling=args.pytorch_profiling,
        use_wandb=args.use_wandb,
        episodes=args.episodes or USUAL_EPISODES,
        greedy=args.greedy,
        baselines=args.baselines,
        video=args.video,
        save_rollouts=args.save_rollouts,
        save_info=args.save_info,
        out=args.out,
        logs=asked.logs,
        in_place=not args.local_mode,
        first_words=asked.first_words,
    )
    return options, asked.loaded


def read_recipe(args: argparse.Namespace, num_ranks: int | None = None) -> Asked:
    """Read the recipe, or the experiment in its place.

    Args:
        args: what is typed.
        num_ranks: agent processes of the run; None = those that torchrun has started.

    Raises:
        ConfigurationError: it cannot be used.
    """
    overrides = collect_overrides(args)
    if args.train and args.experiment_file is not None:
        experiment = read_experiment(args, overrides, num_ranks or started_ranks())
        beside = experiment.beside
        local_dir = args.local_dir or path(beside.local_dir or ".")
        workers = None if args.local_mode else args.num_workers or beside.num_workers
        became = f"{args.experiment_file}: {experiment.name} as a recipe\n{experiment.recipe}"
        return Asked(experiment.loaded, _as_name(experiment.name), workers, local_dir, became)
    from configs.loading import load_config

    # A checkpoint has its own recipe: one is compared with it only where it was typed.
    recipe = args.config_path if args.train else typed_recipe(args)
    loaded = load_config(recipe, overrides)
    if args.train:
        loaded = told_of_local_mode(args, loaded)
    name, local_dir = default_log_name(args.config_path), args.local_dir or Path()
    return Asked(loaded, name, args.num_workers, local_dir)
