"""Which policy --policy means."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.reading import printable
from configs.schema import Config
from training.collecting.checkpoint_policy import CheckpointPolicy
from training.collecting.controller_policy import ControllerPolicy
from training.collecting.policies import (
    BrownianPolicy,
    MakePolicy,
    Policy,
    RandomPolicy,
    own_policy,
)
from training.playing.loaded_agent import LoadedController, check_spec, load_agent
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


def choose_policy(
    name: str, loaded: LoadedConfig, place: Place, *, gpu_id: int | None, greedy: bool
) -> Choice:
    """Return what --policy names.

    Args:
        name: what was typed.
        loaded: the configuration.
        place: this process.
        gpu_id, greedy: of a checkpoint: where it computes; whether it takes the likeliest action.

    Raises:
        ConfigurationError: there is no such policy.
        CheckpointError: the checkpoint cannot be read, or contradicts the configuration.
    """
    if name in BUILT_IN:
        return Choice(name, loaded.config, BUILT_IN[name])
    path = Path(name).expanduser()
    if path.exists():
        return _checkpoint(path, loaded, choose_device(place, gpu_id), greedy=greedy)
    if ":" in name:
        return Choice(name, loaded.config, own_policy(name))
    raise ConfigurationError(
        f"--policy {printable(name)}: there is no such policy and no such file; it is one of "
        f"{', '.join(BUILT_IN)}, a checkpoint's path, or module:Class"
    )


def _checkpoint(path: Path, loaded: LoadedConfig, device: torch.device, *, greedy: bool) -> Choice:
    agent = load_agent(path, loaded, device, greedy=greedy)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    if isinstance(agent, LoadedController):
        actor = agent.player
        name = f"checkpoint {digest}"

        def make_controller(spec: EnvironmentSpec) -> Policy:
            check_spec(agent, spec)
            return ControllerPolicy(actor)

        return Choice(name, agent.config, make_controller)
    name = f"checkpoint {digest}, {'likeliest' if greedy else 'sampled'} actions"

    def make(spec: EnvironmentSpec) -> Policy:
        check_spec(agent, spec)
        return CheckpointPolicy(agent.player)

    return Choice(name, agent.config, make)
