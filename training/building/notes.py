"""What the user should know of how a run was started, beside what the run is."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from configs.schema import Config
from configs.typed import typed
from training.ranks.distributed import Place
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import in_units, output_bounds

ENVIRONMENTS_FOR_THE_FIRST_KEY = 256
REACH = 1.0 + 1e-6  # of a deterministic policy's outputs, but for rounding


def crowded_cores(place: Place) -> list[str]:
    """Return a note where agent processes share a core."""
    cores, ranks = len(os.sched_getaffinity(0)), place.local_world_size
    if ranks <= cores:
        return []
    return [
        f"{ranks} agent processes share {cores} core{'s' if cores > 1 else ''} and take turns; "
        f"{typed('--nproc_per_node', cores)} is as many as can run at once"
    ]


def few_environments(env_id: str, total_envs: int) -> list[str]:
    """Return a note where Montezuma's Revenge is explored by few environments of all ranks."""
    if "MontezumaRevenge" not in env_id or total_envs >= ENVIRONMENTS_FOR_THE_FIRST_KEY:
        return []
    return [
        f"{total_envs} environments are few for Montezuma's Revenge: another trainer reports no "
        "score in 50 M env steps with 128, and the first key after 0.33 M with 512 (one seed, "
        "rlcode/reinforcement-learning 130); configs/MontezumaRevenge/config_rnd512.conf has 512"
    ]


def in_the_rank(config: Config, num_workers: int | None) -> list[str]:
    """Return a note where WorkerBackend = in_process puts foreign code in the rank, or does not.

    Args:
        config: the run's.
        num_workers: those that the command line asks for, if any.
    """
    if config.run.worker_backend != "in_process":
        return []
    if num_workers is not None:
        return [
            f"WorkerBackend = in_process has no effect: {typed('--num_workers', num_workers)} asks "
            "for worker processes"
        ]
    if config.environment.env_type != "gymnasium":
        return []
    return [
        "WorkerBackend = in_process with EnvType = gymnasium: an environment that raises, crashes, "
        "or leaves the program ends the run, and one that changes the handlers of signals changes "
        "the run's own"
    ]


def lone_samples(config: Config, total_envs: int) -> list[str]:
    """Return a note where a minibatch of all ranks holds one sample, whose advantage becomes 0."""
    samples = config.ppo.rollout_steps * total_envs // config.ppo.num_minibatches
    if samples > 1 or not config.ppo.normalize_advantage:
        return []
    return [
        "NormalizeAdvantage = True with one sample in a minibatch: its advantage becomes 0 and the "
        "policy learns nothing; raise NumStep or NumEnv, lower MiniBatch, or set it to False"
    ]


def random_play(config: Config, total_envs: int) -> str:
    """Return a note of how much is played at random before the first update, for statistics."""
    rollouts = config.intrinsic.warmup_rollouts
    steps = rollouts * config.ppo.rollout_steps * total_envs
    return (
        f"{steps:,} env steps of random play come first and count apart (ObsNormStep = {rollouts})"
    )


def only_random_steps(config: Config) -> list[str]:
    """Return a note where Agent = TD3 plays at random to the end."""
    random, total = config.td3.random_steps, config.run.total_env_steps
    if config.run.agent != "TD3" or total > random:
        return []
    return [
        f"nothing will be learnt: RandomSteps = {random:,} env steps are played at random first, "
        f"and TotalEnvSteps is {total:,}; lower the one or raise the other"
    ]


def short_reach(config: Config, spec: EnvironmentSpec) -> list[str]:
    """Return a note where some actions lie beyond what TD3 plays, which is -1 to 1 of its own.

    PPO's reach as far as the environment's: they are drawn from Gaussians.
    """
    if config.run.agent != "TD3":
        return []
    ends = [in_units(spec, np.full(spec.num_actions, end, np.float32)) for end in (-1, 1)]
    short = [
        f"{here[0]:g} to {here[1]:g} of {whole[0]:g} to {whole[1]:g}"
        for here, *whole, low, high in zip(
            zip(*ends, strict=True),
            spec.action_low,
            spec.action_high,
            *output_bounds(spec),
            strict=True,
        )
        if low < -REACH or high > REACH
    ]
    if not short:
        return []
    return [
        f"TD3 plays a part of the actions of {spec.env_id}: {'; '.join(short)}. ActionMapping = "
        "bounds reaches all that lies between two bounds; for the rest scale the environment's "
        "actions"
    ]


def undone_nohup(environment: Mapping[str, str]) -> list[str]:
    """Return a note where nohup was to protect torchrun, which takes the signal over from it.

    The shell leaves the name of the program that it has started under "_".
    """
    by_nohup = Path(environment.get("_", "")).name == "nohup"
    if not by_nohup or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return []
    return [
        "nohup does not protect torchrun: a closed terminal stops this run, saved; setsid or tmux "
        "keeps it going, or torchrun --signals-to-handle SIGTERM,SIGINT,SIGQUIT"
    ]
