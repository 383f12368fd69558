"""What a run is about to do, said before it does it."""

import math
from pathlib import Path

import torch

from agents.ranks import Ranks
from configs.loading import LOCAL_MODE, LoadedConfig
from configs.sizes import bytes_text
from training.live.policy_words import policy_text
from training.live.words import counted
from training.options import RunOptions
from workers.environment_pool import EnvironmentPool
from workers.environments.base import EnvironmentSpec
from workers.processes.free_memory import available_memory


def banner_rows(
    loaded: LoadedConfig,
    options: RunOptions,
    pool: EnvironmentPool,
    ranks: Ranks,
    device: torch.device,
    held: tuple[str, int],
) -> list[tuple[str, str]]:
    """Return the rows of the start table: what, how much, where, and what was set by hand.

    `held` is what a rank holds of its play, in words, and its bytes.
    """
    config, spec = loaded.config, pool.spec
    total_envs = pool.num_environments * ranks.world_size
    steps = config.run.total_env_steps
    per_update = config.steps_per_update * total_envs
    bonus = "no bonus" if config.intrinsic.kind == "none" else f"bonus {config.intrinsic.kind}"
    if config.run.agent != "PPO":
        bonus = config.run.agent
    head = config.representation.kind
    if head != "None":
        frozen = " (pretrained, then frozen)" if config.representation.freeze_backbone else ""
        bonus += f", head {head}{frozen}"
    policy = policy_text(config)
    return [
        ("run", options.log_name),
        ("environment", f"{spec.env_id} ({_observation(spec.observation_shape)}), {bonus}"),
        *([] if policy is None else [("policy", policy)]),
        (
            "environments",
            f"{ranks.world_size} rank(s) x {pool.num_environments} = {total_envs}, {pool.place}",
        ),
        (
            "length",
            f"{steps:,} env steps = {steps * spec.frame_skip:,} frames, "
            f"{updates_text(steps, per_update)}",
        ),
        ("an episode", describe_episode(loaded, spec)),
        ("computes on", f"{_device(device)}, {config.run.precision}"),
        (
            "memory",
            f"{bytes_text(held[1])} for a rank's {held[0]}; {bytes_text(available_memory())} free",
        ),
        ("seed", str(config.run.seed)),
        ("checkpoint", str(options.save_model_path)),
        ("curves", curves_text(options)),
        *rows_of_sources(loaded),
    ]


def rows_of_sources(loaded: LoadedConfig) -> list[tuple[str, str]]:
    """Return a row on the keys that were set by hand and one on those of --local-mode, if any."""
    by_hand, by_mode = (
        ", ".join(key for key, source in loaded.sources.items() if source == wanted)
        for wanted in ("command line", LOCAL_MODE)
    )
    rows = [
        ("set by hand", f"{by_hand} (command line over .conf over default)" if by_hand else ""),
        (f"by {LOCAL_MODE}", by_mode),
    ]
    return [(name, keys) for name, keys in rows if keys]


def updates_text(steps: int, per_update: int) -> str:
    """Say how many updates there are, and that the last one goes beyond `steps` if it does."""
    updates = counted(math.ceil(steps / per_update), "update")
    text = f"{updates} of {per_update:,} env steps"
    return f"{text}; the last one is finished" if steps % per_update else text


def curves_text(options: RunOptions) -> str:
    """Say where a run's curves lie, and what shows them."""
    curves = options.logs / "tb_logs"
    is_own = curves == Path("logs/tb_logs")
    shown_by = "make start_tensorboard" if is_own else f"tensorboard --logdir {curves}"
    return f"{curves / options.log_name} ({shown_by})"


def describe_episode(loaded: LoadedConfig, spec: EnvironmentSpec) -> str:
    """Say when an episode is cut, what is learnt from in it, and who decided on both."""
    section = loaded.config.environment
    steps = spec.max_episode_steps
    limit = "is never cut" if steps is None else f"is cut after {steps:,} env steps"
    if section.max_episode_steps == "auto":
        decided = f"{spec.env_id}'s own limit"
    else:
        decided = _decided(loaded, "MaxStepPerEpisode", section.env_type)
    reward = {
        "raw": "the raw reward",
        "sign": "the sign of the reward",
        "goal": "1 where it terminates, 0 elsewhere",
    }[section.learning_reward]
    return (
        f"{limit} ({decided}); learns from {reward} "
        f"({_decided(loaded, 'LearningReward', section.env_type)})"
    )


def _decided(loaded: LoadedConfig, key: str, env_type: str) -> str:
    match loaded.sources[key]:
        case "default":
            return f"the default of {key} for {env_type}"
        case "checkpoint":
            return f"{key} of the checkpoint"
    return key


def _observation(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) + (" pixels" if len(shape) > 1 else " state vector")


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"the CPU, {torch.get_num_threads()} thread(s)"
