"""A checkpoint made ready to play."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.controllers.sight import Sight
from agents.networks.actor_critic import PolicyOutput
from agents.networks.recurrent_actor_critic import PolicyInput, memory_size
from agents.ppo.learner import Learner
from agents.td3.td3_learner import TD3Learner
from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig
from configs.schema import Config
from configs.typed import typed
from training.building.custom_source import check_state, warn_if_changed
from training.building.learner import build_learner
from training.building.stacking import stack_size
from training.building.td3 import build_td3_learner
from training.checkpoints.compatibility import CHANGE, check_fit
from training.checkpoints.continuation import stored_config
from training.checkpoints.controller import Models, kept_controller, kept_models
from training.checkpoints.payload_form import check_form, laid_out
from training.checkpoints.policy_encoder import kept_encoder, module_of
from training.checkpoints.policy_transition import kept_transition
from training.checkpoints.protocol import asked_protocol, fields_to_fit
from training.checkpoints.storage import Payload, read_checkpoint, unpack_payload
from training.folders.run_folder import LOGS, validate_log_name
from training.options import RunOptions
from training.playing.controller_player import ControllerPlayer
from training.playing.deterministic_player import DeterministicPlayer
from training.playing.player import GamePlayer, Judge, Player, spec_from_text
from workers.environments.base import EnvironmentSpec

CERTAIN = "deterministic"  # the choice of actions of an agent that draws none


@dataclass(frozen=True)
class LoadedAgent:
    """What a checkpoint holds, laid out.

    Attributes:
        path: the checkpoint.
        config: its own configuration, under the protocol that it is to play by.
        protocol_changes: in which that protocol differs from training's, see `Protocol`.
        payload: all that it holds.
        digest: the SHA-256 of that, in hexadecimal: no two training states have the same.
        player: its policy at play.
    """

    path: Path
    config: Config
    protocol_changes: Mapping[str, Mapping[str, str]]
    payload: Payload
    digest: str
    player: GamePlayer


@dataclass(frozen=True)
class LoadedPPO(LoadedAgent):
    """One of PPO.

    Attributes:
        learner: its networks and statistics, built for one environment.
    """

    player: Player
    learner: Learner


@dataclass(frozen=True)
class LoadedController(LoadedAgent):
    """One of CMA-ES: the mean of its next population.

    Attributes:
        models: what it looks through.
    """

    player: ControllerPlayer
    models: Models


@dataclass(frozen=True)
class LoadedTD3(LoadedAgent):
    """One of TD3.

    Attributes:
        learner: its networks, built for one environment.
    """

    player: DeterministicPlayer
    learner: TD3Learner


def load_agent(
    path: Path, loaded: LoadedConfig, device: torch.device, *, greedy: bool
) -> LoadedAgent:
    """Read the checkpoint at `path` and lay it out; the seed of its actions is that of `loaded`.

    It plays by the protocol of its training, but for what the command line of `loaded` sets.

    Raises:
        ConfigurationError: the command line asks for a protocol that cannot be.
        CheckpointError: it cannot be read, contradicts `loaded`, or does not fit itself.
    """
    payload, digest = _read(path)
    check_form(payload, path)
    config = stored_config(payload["facts"], path)
    remedy = _recipe_that_fits(str(payload["facts"]["log_name"]))
    check_fit(loaded.config, config, str(path), fields_to_fit(loaded), remedy=remedy)
    protocol = asked_protocol(loaded, config)
    check_import(loaded.config, protocol.config, path)
    known = (path, protocol.config, protocol.changes, payload, digest)
    if config.run.agent == "CMA-ES":
        controller, models = _controller_player(path, payload, config, device)
        return LoadedController(*known, controller, models)
    warn_if_changed(payload["facts"], config, path)
    seed = loaded.config.run.seed
    if config.run.agent == "TD3":
        actor, td3 = _td3_player(path, payload, config, device, seed, greedy=greedy)
        return LoadedTD3(*known, actor, td3)
    player, learner = _ppo_player(path, payload, config, device, seed, greedy=greedy)
    return LoadedPPO(*known, player, learner)


def action_choice(agent: LoadedAgent, *, greedy: bool) -> str:
    """Return how actions are chosen; a controller's are not drawn."""
    if isinstance(agent, LoadedController):
        return CERTAIN
    return "greedy" if greedy else "sampled"


def _read(path: Path) -> tuple[Payload, str]:
    """Return what the checkpoint at `path` holds, and the digest of the same bytes."""
    data = read_checkpoint(path)
    return unpack_payload(data, path), hashlib.sha256(data).hexdigest()


def _ppo_player(
    path: Path, payload: Payload, config: Config, device: torch.device, seed: int, *, greedy: bool
) -> tuple[Player, Learner]:
    """Lay out a policy of PPO; the seed is that of its actions."""
    encoder = kept_encoder(payload["facts"], config, path)
    with laid_out("policy", path):
        spec = spec_from_text(payload["facts"]["spec"])
        learner = build_learner(config, spec, 1, module_of(encoder)).to(device)
        check_state(payload["facts"], learner.policy)
        learner.load_state_dict(payload["learner"])
        player = Player(
            judge_of(learner, device),
            spec,
            stack_size(config, spec),
            device,
            seed,
            greedy=greedy,
            encoder=learner.encoder,
            memory_size=memory_size(learner.policy),
        )
    return player, learner


def _controller_player(
    path: Path, payload: Payload, config: Config, device: torch.device
) -> tuple[ControllerPlayer, Models]:
    """Lay out a controller and what it looks through."""
    models = kept_models(payload, config, path)
    controller, parameters = kept_controller(payload, path)
    with laid_out("controller", path):
        spec = spec_from_text(payload["facts"]["spec"])
        sight = Sight(
            controller, device, encoder=models.encoder_module, memory=models.memory_module
        )
    return ControllerPlayer(sight, parameters, spec), models


def _td3_player(
    path: Path, payload: Payload, config: Config, device: torch.device, seed: int, *, greedy: bool
) -> tuple[DeterministicPlayer, TD3Learner]:
    """Lay out an actor of TD3; the seed is that of the noise on its actions."""
    encoder = kept_encoder(payload["facts"], config, path)
    kept = kept_transition(payload["facts"], config, path)
    transition = None if kept is None else kept.module
    with laid_out("policy", path):
        spec = spec_from_text(payload["facts"]["spec"])
        learner = build_td3_learner(config, spec, module_of(encoder), transition).to(device)
        learner.load_state_dict(payload["learner"])
        noise = 0.0 if greedy else config.td3.exploration_noise
        size = stack_size(config, spec)
        return DeterministicPlayer(learner, spec, size, device, seed, noise=noise), learner


def run_name(options: RunOptions, agent: LoadedAgent) -> str:
    """Return the run that is played or exported: as named, else the checkpoint's own one.

    Raises:
        ConfigurationError: it cannot name a run.
    """
    own = str(agent.payload["facts"]["log_name"])
    return validate_log_name(options.log_name if options.log_name_given else own)


def _recipe_that_fits(log_name: str) -> str:
    """Say how the checkpoint of a run is met: by the recipe that lies in its folder, if it does."""
    try:
        own = LOGS / "runs" / validate_log_name(log_name) / "config.conf"
    except ConfigurationError:  # a file from elsewhere may say anything
        return CHANGE
    if not own.is_file():
        return CHANGE
    named = typed("--config_path", own)
    return f"take {named}, the recipe of its own run, or leave the recipe out; or {CHANGE}"


def judge_of(learner: Learner, device: torch.device) -> Judge:
    """Return the learner's policy in the precision that it was trained in."""

    def judge(inputs: PolicyInput) -> PolicyOutput:
        with learner.precision(device):
            output: PolicyOutput = learner.policy(inputs)
        return output

    return judge


def check_spec(agent: LoadedAgent, spec: EnvironmentSpec) -> None:
    """Refuse environments that the policy was not made for.

    Raises:
        CheckpointError: their observations or actions are others.
    """
    trained = agent.player.spec
    names = ("observation_shape", "observation_dtype", "discrete", "num_actions")
    differing = [name for name in names if getattr(trained, name) != getattr(spec, name)]
    if differing:
        told = ", ".join(
            f"{name} ({getattr(trained, name)} and {getattr(spec, name)})" for name in differing
        )
        raise CheckpointError(
            f"{agent.path}: its policy was trained on other environments than {spec.env_id}: they "
            f"differ in {told}"
        )


def check_import(wanted: Config, found: Config, path: Path) -> None:
    """Refuse to import what only the checkpoint names: a stranger's must not choose that.

    Raises:
        CheckpointError: its EnvID is module:id, or it has a CustomModel, and file and command line
            do not say the same.
    """
    env_id = found.environment.env_id
    module, colon, _ = env_id.rpartition(":")
    if colon and wanted.environment.env_id != env_id:
        raise CheckpointError(
            f"{path}: its EnvID = {env_id} would import the module {module}; where you trust that, "
            f"say so yourself: --set EnvType={found.environment.env_type} --set EnvID={env_id}"
        )
    model = found.custom_model_name
    if model is not None and wanted.ppo.custom_model_name != model:
        raise CheckpointError(
            f"{path}: its CustomModel = {model} would run models/{model}.py; where you trust that, "
            f"say so yourself: --set CustomModel={model}"
        )
