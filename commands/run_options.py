"""From the command line to a configuration and a run's options."""

import argparse
import os
import re
import sys
from pathlib import Path

EPISODES = 20  # that an evaluation plays unless told otherwise
TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.loading import LoadedConfig
    from training.options import RunOptions


def default_log_name(config_path: Path) -> str:
    """Return a run's name from its recipe: configs/Pong/config_ppo00.conf -> Pong_ppo00."""
    stem = re.sub(r"(^config_|_config$)", "", config_path.stem)
    folder = config_path.parent.name
    name = stem if folder in ("", "configs") else f"{folder}_{stem}"
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)  # what a file may be called, and a run may not


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
    return [
        *args.overrides,
        *(f"{key}={value}" for key, value in flags.items() if value is not None),
    ]


def prepare_run(args: argparse.Namespace) -> "tuple[RunOptions, LoadedConfig]":
    """Load the recipe; return the run's options and its configuration.

    Raises:
        ConfigurationError: the recipe, the flags or torchrun's variables cannot be used.
    """
    import shlex

    from configs.loading import load_config
    from training.folders.own_command import own_command
    from training.options import RunOptions
    from training.ranks.restarts import check_restarts

    check_restarts()
    loaded = load_config(args.config_path, collect_overrides(args))
    given = args.log_name is not None  # an empty one is refused
    log_name = args.log_name if given else default_log_name(args.config_path)
    options = RunOptions(
        command_line=shlex.join(own_command(sys.argv, os.environ)),
        log_name=log_name,
        log_name_given=given,
        save_model_path=args.save_model_path or Path("checkpoints") / f"{log_name}.ckpt",
        load_model_path=args.load_model_path,
        num_workers=args.num_workers,
        gpu_id=args.gpu_id,
        resume=args.resume,
        overwrite=args.overwrite,
        profile_updates=args.profile_updates,
        pytorch_profiling=args.pytorch_profiling,
        use_wandb=args.use_wandb,
        episodes=args.episodes or EPISODES,
        greedy=args.greedy,
        baselines=args.baselines,
        video=args.video,
        save_rollouts=args.save_rollouts,
        save_info=args.save_info,
        out=args.out,
    )
    return options, loaded
