"""An exported policy read back: weights and configuration alone, no checkpoint and no pickle.

A folder holds `policy.safetensors` and `config.json`; `training.exporting.writing` writes them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences, memory_size
from configs.errors import CheckpointError, ConfigurationError
from configs.former import with_former_values
from configs.loading import config_from_mapping
from configs.schema import Config
from training.building.encoders import encoded
from training.building.learner import build_policy
from training.building.stacking import stack_size
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import kept_encoder, module_of
from training.folders.files import read_json
from training.playing.player import Judge, Player
from workers.environments.base import EnvironmentSpec

WEIGHTS, CONFIG, PROGRAM, ONNX, CARD = (
    "policy.safetensors",
    "config.json",
    "policy.pt2",
    "policy.onnx",
    "README.md",
)
FORMAT = 1
CPU = torch.device("cpu")


@dataclass(frozen=True)
class ExportedPolicy:
    """What a folder holds.

    Attributes:
        config: of the run that trained it.
        spec: the environment.
        judge: the policy, on the CPU, in the precision that it was trained in; None where it is a
            model of the user's, whose code no export holds: its graph is there.
        memory_size: numbers that it remembers; 0 without a memory.
    """

    config: Config
    spec: EnvironmentSpec
    judge: Judge | None
    memory_size: int

    def player(self, seed: int, *, greedy: bool = False, judge: Judge | None = None) -> Player:
        """Return the policy at play, or another form of it; `seed` is that of sampled actions.

        Raises:
            CheckpointError: there is no other form, and the policy's own is a model of the user's.
        """
        judge = judge or self.judge
        if judge is None:
            raise CheckpointError(
                f"the policy is CustomModel = {self.config.ppo.custom_model}, code which no export "
                "holds; play its graph: python -m examples.play_graph FOLDER"
            )
        return Player(
            judge,
            self.spec,
            stack_size(self.config, self.spec),
            CPU,
            seed,
            greedy=greedy,
            memory_size=self.memory_size,
        )


def load_export(folder: Path, *, trusted_env_id: str | None = None) -> ExportedPolicy:
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
    with laid_out("policy", folder):
        spec = spec_from_json(content["environment"])
        if config.ppo.custom_model_name is not None:
            size = content["play"].get("memory", {"size": 0})["size"]
            return ExportedPolicy(config, spec, None, size)
        encoder = kept_encoder(content, config, path)
        policy = build_policy(config, spec, module_of(encoder))
        if encoder is not None and config.learns_from_features:
            policy = encoded(encoder.module, policy, stack_size(config, spec))
        policy.load_state_dict(_weights(folder / WEIGHTS))
    return ExportedPolicy(config, spec, _judge_of(policy, config), memory_size(policy))


def load_program(folder: Path) -> Judge:
    """Read the .pt2 form of a policy. Only your own: torch unpickles what such a file asks for."""
    run = torch.export.load(folder / PROGRAM).module()

    def judge(inputs: PolicyInput) -> PolicyOutput:
        memory = None
        if isinstance(inputs, Sequences):  # of one step
            kept = inputs.memory * ~inputs.starts[0].unsqueeze(1)
            *of_actions, extrinsic, intrinsic, memory = run(inputs.observations, kept)
        else:
            *of_actions, extrinsic, intrinsic = run(inputs)
        if len(of_actions) == 1:
            return PolicyOutput(Categorical(of_actions[0]), extrinsic, intrinsic, memory)
        mean, log_std, *_ = of_actions  # environments make an action of what is sampled
        return PolicyOutput(DiagonalGaussian(mean, log_std), extrinsic, intrinsic, memory)

    return judge


def spec_to_json(spec: EnvironmentSpec) -> dict[str, Any]:
    """Return a spec as JSON's own types; a missing bound, which JSON cannot say, is null."""
    fields = asdict(spec)
    for name in _bounds(fields):
        fields[name] = [value if math.isfinite(value) else None for value in fields[name]]
    return fields


def spec_from_json(content: Mapping[str, Any]) -> EnvironmentSpec:
    """Return what `spec_to_json` was given."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    for name in _bounds(fields):
        missing = -math.inf if name.endswith("_low") else math.inf
        fields[name] = tuple(missing if value is None else value for value in fields[name])
    return EnvironmentSpec(**fields)


def config_text(config: Mapping[str, str], spec: EnvironmentSpec, **facts: Any) -> str:
    """Return the content of config.json: strict JSON, of which a reader needs no more."""
    content = {"format": FORMAT, **facts, "environment": spec_to_json(spec)}
    return json.dumps(content | {"configuration": dict(config)}, indent=2, allow_nan=False) + "\n"


def _bounds(fields: Mapping[str, Any]) -> list[str]:
    return [name for name in fields if name.endswith(("_low", "_high"))]


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: no safetensors file can be read there: {error}") from error
    return weights


def _judge_of(policy: nn.Module, config: Config) -> Judge:
    half = config.run.precision == "bfloat16"

    def judge(inputs: PolicyInput) -> PolicyOutput:
        with torch.autocast(CPU.type, torch.bfloat16, enabled=half):
            output: PolicyOutput = policy(inputs)
        return output

    return judge
