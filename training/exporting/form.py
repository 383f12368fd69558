"""What a folder of --export holds: names of its files, config.json, weights.

`training.exporting.writing` writes them, `training.exporting.reading` reads them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from configs.errors import CheckpointError
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


def weights_in(folder: Path) -> dict[str, Tensor]:
    """Return the weights of an export by name.

    Raises:
        CheckpointError: no file of weights can be read there.
    """
    path = folder / WEIGHTS
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: no safetensors file can be read there: {error}") from error
    return weights
