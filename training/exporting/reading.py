"""An exported policy read back: weights and configuration alone, no checkpoint and no pickle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.networks.recurrent_actor_critic import memory_size
from configs.errors import CheckpointError, ConfigurationError
from configs.former import with_former_values
from configs.loading import config_from_mapping
from configs.schema import Config
from training.building.encoders import encoded
from training.building.learner import build_policy
from training.building.stacking import stack_size
from training.building.td3 import build_td3_learner
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import kept_encoder, module_of
from training.checkpoints.policy_transition import kept_transition
from training.exporting.exported_actor import ExportedActor
from training.exporting.exported_policy import ExportedPolicy, judge_of
from training.exporting.form import CONFIG, FORMAT, spec_from_json, weights_in
from training.folders.files import read_json


def load_export(
    folder: Path, *, trusted_env_id: str | None = None
) -> ExportedPolicy | ExportedActor:
    """Read a policy from `folder`; runs no code from there.

    Args:
        folder: what --export wrote.
        trusted_env_id: an EnvID of the form module:id imports that module, and is refused unless
            it is named here.

    Raises:
        CheckpointError: files are missing or do not fit each other.
    """
    path = folder / CONFIG
    content = read_json(path)
    if content is None or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not the configuration of an exported policy")
    try:
        config = config_from_mapping(with_former_values(content["configuration"]))
    except (ConfigurationError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path}: its configuration cannot be read: {error}") from error
    env_id = config.environment.env_id
    if ":" in env_id and env_id != trusted_env_id:
        raise CheckpointError(
            f"{path}: its EnvID = {env_id} would import the module {env_id.rpartition(':')[0]}; "
            "where you trust that, name the EnvID as well: as trusted_env_id, or behind the folder "
            "of an example"
        )
    read = _actor if config.run.agent == "TD3" else _policy
    return read(folder, config, content)


def _policy(folder: Path, config: Config, content: Mapping[str, Any]) -> ExportedPolicy:
    with laid_out("policy", folder):
        spec = spec_from_json(content["environment"])
        if config.custom_model_name is not None:
            size = content["play"].get("memory", {"size": 0})["size"]
            return ExportedPolicy(folder, config, spec, None, size)
        encoder = kept_encoder(content, config, folder / CONFIG)
        policy = build_policy(config, spec, module_of(encoder))
        if encoder is not None and config.learns_from_features:
            policy = encoded(encoder.module, policy, stack_size(config, spec))
        policy.load_state_dict(weights_in(folder))
    return ExportedPolicy(folder, config, spec, judge_of(policy, config), memory_size(policy))


def _actor(folder: Path, config: Config, content: Mapping[str, Any]) -> ExportedActor:
    transition = kept_transition(content, config, folder / CONFIG)
    with laid_out("policy", folder):
        spec = spec_from_json(content["environment"])
        encoder = module_of(kept_encoder(content, config, folder / CONFIG))
        foretold = None if transition is None else transition.module
        learner = build_td3_learner(config, spec, encoder, foretold)
        learner.load_played_weights(weights_in(folder))
    return ExportedActor(folder, config, spec, learner)
