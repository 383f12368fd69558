"""Which policy --policy means."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.reading import printable
from configs.schema import Config
from training.collecting.checkpoint_policy import CheckpointPolicy, check_spec
from training.collecting.options import CollectOptions
from training.collecting.policies import (
    BrownianPolicy,
    MakePolicy,
    Policy,
    RandomPolicy,
    own_policy,
)
from training.playing.loaded_agent import load_agent
from training.ranks.distributed import Place, choose_device
from workers.environments.base import EnvironmentSpec

BUILT_IN: dict[str, MakePolicy] = {"random": RandomPolicy, "brownian": BrownianPolicy}


@dataclass(frozen=True)
class Choice:
    """A policy, and the environments that it is for.

    Attributes:
        name: in words that tell it from any other; of a checkpoint, with its digest.
        config: the configuration of the environments: a checkpoint's own where there is one.
        make: makes the policy of one environment.
    """

    name: str
    config: Config
    make: MakePolicy


def choose_policy(options: CollectOptions, loaded: LoadedConfig, place: Place) -> Choice:
    """Return what --policy names.

    Raises:
        ConfigurationError: there is no such policy.
        CheckpointError: the checkpoint cannot be read, or contradicts the configuration.
    """
    name = options.policy
    if name in BUILT_IN:
        return Choice(name, loaded.config, BUILT_IN[name])
    path = Path(name).expanduser()
    if path.exists():
        return _checkpoint(path, options, loaded, place)
    if ":" in name:
        return Choice(name, loaded.config, own_policy(name))
    raise ConfigurationError(
        f"--policy {printable(name)}: there is no such policy and no such file; it is one of "
        f"{', '.join(BUILT_IN)}, a checkpoint's path, or module:Class"
    )


def _checkpoint(path: Path, options: CollectOptions, loaded: LoadedConfig, place: Place) -> Choice:
    device = choose_device(place, options.gpu_id)
    agent = load_agent(path, loaded, device, greedy=options.greedy)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    name = f"checkpoint {digest}, {'likeliest' if options.greedy else 'sampled'} actions"

    def make(spec: EnvironmentSpec) -> Policy:
        check_spec(agent, spec)
        return CheckpointPolicy(agent.player)

    return Choice(name, agent.config, make)
