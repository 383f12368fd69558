"""From a configuration to a pool: of dreams where EnvType = dream, of simulators elsewhere."""

import functools
from pathlib import Path

import gymnasium
import numpy as np

from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config, EnvironmentSection
from training.checkpoints.dynamics import TrainedDynamics, load_dynamics
from training.dreaming.dream import Dream
from training.dreaming.environment import DreamEnvironment
from training.recording.describing import LONGEST_EPISODE
from trajectories.schema import ActionSpace
from workers import opening
from workers.environment_pool import EnvironmentPool
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import action_map
from workers.environments.parts.spaces import spec_of
from workers.in_process import InProcessPool
from workers.opening import Sizes

DREAM = "dream"  # a value of EnvType
LONGEST = 1_000  # steps of an episode where neither the recipe nor the dataset says


def open_pool(
    config: Config, sizes: Sizes, backend: str | None = None, *, with_states: bool = False
) -> EnvironmentPool:
    """Start the environments of `config`, as `workers.opening.open_pool` does.

    Dreams step in the rank itself, on the CPU, all of a group at once.

    Raises:
        ScoutError: an environment could not be built, or there is no room for it.
    """
    if config.environment.env_type != DREAM:
        return opening.open_pool(config, sizes, backend, with_states=with_states)
    if sizes.num_workers is not None:
        raise ConfigurationError(
            f"--num_workers {sizes.num_workers} with EnvType = dream: dreams step in the rank "
            "itself; leave it out"
        )
    trained = load_dynamics(Path(config.environment.env_id))
    if len(trained.dynamics.starts) == 0:
        raise CheckpointError(f"{trained.path}: keeps no first latents where dreams could begin")
    dream = Dream(trained.dynamics, config.environment.dream_temperature)
    spec = dream_spec(config.environment, trained)
    pool = InProcessPool(
        functools.partial(DreamEnvironment, dream, spec, trained.digest),
        num_environments=sizes.num_environments,
        num_groups=sizes.num_groups,
        base_seed=sizes.base_seed,
        first_index=sizes.first_index,
    )
    pool.place = f"dreamt in the rank itself by {trained.path}"
    return pool


def dream_spec(section: EnvironmentSection, trained: TrainedDynamics) -> EnvironmentSpec:
    """Return what an agent must know of a dream.

    Raises:
        ConfigurationError: its actions are of a kind that no agent of ours takes.
        CheckpointError: it does not say what its actions are.
    """
    acted = _space_of(trained.schema.action)
    size = trained.dynamics.encoder.feature_size
    return spec_of(
        section.env_id,
        gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32),
        acted,
        can_snapshot=True,
        reach=action_map(acted, section.action_mapping),
        max_episode_steps=_longest(section, trained),
    )


def _longest(section: EnvironmentSection, trained: TrainedDynamics) -> int:
    """Return the steps of a whole episode: the recipe's, else those of the episodes learnt from."""
    if section.max_episode_steps != "auto":
        return section.max_episode_steps
    told = (trained.dataset.get(LONGEST_EPISODE), trained.environment.get("MaxStepPerEpisode"))
    return next((steps for steps in told if isinstance(steps, int)), LONGEST)


def _space_of(action: ActionSpace) -> gymnasium.Space[object]:
    """Return Gymnasium's form of a dataset's actions."""
    match action.kind:
        case "discrete":
            return gymnasium.spaces.Discrete(action.sizes[0], start=action.start)
        case "box":
            low, high = (np.asarray(side, np.float32) for side in (action.low, action.high))
            return gymnasium.spaces.Box(low, high, dtype=np.float32)
        case "multi_discrete":
            return gymnasium.spaces.MultiDiscrete(list(action.sizes))
    return gymnasium.spaces.MultiBinary(action.shape)
