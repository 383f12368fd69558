"""Which meaning of continuous actions a run has where ActionMapping = auto."""

import json
from dataclasses import replace
from typing import Literal

from configs.former import ACTION_MAPPING, with_former_values
from configs.loading import LoadedConfig
from training.checkpoints.storage import Payload
from workers.environments.base import EnvironmentSpec


def follow_checkpoint(loaded: LoadedConfig, payload: Payload | None) -> LoadedConfig:
    """Let ActionMapping = auto mean what the checkpoint's policy was trained with.

    Args:
        loaded: the run's configuration.
        payload: the checkpoint that it continues from, or None.
    """
    if payload is None or loaded.config.environment.action_mapping != "auto":
        return loaded
    stored = with_former_values(payload["facts"]["config"])
    if stored[ACTION_MAPPING] != "clip" or _is_discrete(payload):
        return loaded
    note = "ActionMapping = clip: the checkpoint's policy was trained so, and goes on so"
    return replace(_with_mapping(loaded, "clip"), notes=(*loaded.notes, note))


def say_mapping(loaded: LoadedConfig, spec: EnvironmentSpec) -> LoadedConfig:
    """Replace ActionMapping = auto by what the environments do: the run's record names that.

    Choices have no mapping, and their runs keep auto.
    """
    if spec.discrete or loaded.config.environment.action_mapping != "auto":
        return loaded
    return _with_mapping(loaded, "bounds")


def _with_mapping(loaded: LoadedConfig, mapping: Literal["bounds", "clip"]) -> LoadedConfig:
    environment = loaded.config.environment.model_copy(update={"action_mapping": mapping})
    return replace(loaded, config=loaded.config.model_copy(update={"environment": environment}))


def _is_discrete(payload: Payload) -> bool:
    return bool(json.loads(payload["facts"]["spec"])["discrete"])
