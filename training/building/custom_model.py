"""From `CustomModel = NAME` to the user's model as the policy, tried before anything is trained."""

import importlib.util
import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from agents.custom_policy import CustomPolicy, of_the_user
from configs.errors import ConfigurationError
from configs.schema import Config
from training.building.custom_source import FOLDER, Source, read_source
from training.building.scaling import build_scaling
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec

ROWS = 3  # observations of a trial


def try_custom_model(config: Config, spec: EnvironmentSpec) -> None:
    """Refuse a model that cannot be used, before anything is replaced for it.

    Raises:
        ConfigurationError: as `build_custom_policy`.
    """
    if config.ppo.custom_model_name is not None:
        with torch.random.fork_rng(devices=[]):
            build_custom_policy(config, spec)


def build_custom_policy(config: Config, spec: EnvironmentSpec) -> CustomPolicy:
    """Make the user's model, and try it.

    Args:
        config: the run's configuration, with a custom model.
        spec: the environment.

    Raises:
        ConfigurationError: the file, the class, or what it makes cannot be used.
    """
    assert config.ppo.custom_model_name is not None
    source = read_source(config.ppo.custom_model_name)
    seen = _observation_space(config, spec)
    discrete, a = spec.discrete, spec.num_actions
    acted = gymnasium.spaces.Discrete(a) if discrete else _box(spec.action_low, spec.action_high, a)
    made_with = json.loads(config.ppo.custom_model_config)
    kind = _load_class(source)
    with of_the_user(source.path, "CustomModel(...)"):
        model = kind(seen, acted, a if discrete else 2 * a, made_with)
    _check_module(model, source.path)
    policy = CustomPolicy(
        model,
        build_scaling(config, spec),
        num_actions=a,
        discrete=discrete,
        intrinsic_head=config.intrinsic.kind != "none",
        source=source.path,
        digest=source.digest,
    )
    _try(policy, seen)
    return policy


def _observation_space(config: Config, spec: EnvironmentSpec) -> gymnasium.spaces.Box:
    if len(spec.observation_shape) == 1:
        return _box(spec.observation_low, spec.observation_high, spec.observation_shape[0])
    channels, height, width = spec.observation_shape
    shape = (channels * stack_size(config, spec), height, width)
    return gymnasium.spaces.Box(0, 255, shape, np.float32)


def _box(low: tuple[float, ...], high: tuple[float, ...], size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(
        np.array(low or [-np.inf] * size, np.float32),
        np.array(high or [np.inf] * size, np.float32),
        dtype=np.float32,
    )


def _load_class(source: Source) -> Any:
    """Run the file, and return its class."""
    name = f"{FOLDER}.{source.path.stem}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(source.path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(source.path)
    sys.modules[name] = module
    with _own_folder_first(), of_the_user(source.path, "to import it"):
        exec(compile(source.code, source.path, "exec"), module.__dict__)
    kind = getattr(module, "CustomModel", None)
    if not inspect.isclass(kind):
        raise ConfigurationError(f"{source.path}: has no class CustomModel")
    return kind


@contextmanager
def _own_folder_first() -> Iterator[None]:
    """Let a file import from the current folder before all others; afterwards, after them."""
    here, before = str(Path.cwd()), sys.path[:]
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path[:] = before if here in before else [*before, here]


def _check_module(model: Any, path: Path) -> None:
    """Refuse what cannot be trained."""
    if not isinstance(model, nn.Module):
        raise ConfigurationError(
            f"{path}: CustomModel is no torch.nn.Module; let it inherit from that"
        )
    if hasattr(model, "initial_state") or hasattr(model, "get_initial_state"):
        raise ConfigurationError(
            f"{path}: CustomModel has an initial state: models with a memory are not trained; "
            "leave it out, and stack frames where the past matters (StateStackSize)"
        )
    lazy = [
        name
        for name, parameter in model.named_parameters()
        if isinstance(parameter, nn.parameter.UninitializedParameter)
    ]
    if lazy:
        raise ConfigurationError(
            f"{path}: {', '.join(lazy)} has no size before its first use; write it down"
        )
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not trained:
        raise ConfigurationError(f"{path}: CustomModel has no parameters that are trained")
    other = [f"{name} ({p.dtype})" for name, p in trained if p.dtype != torch.float32]
    if other:
        raise ConfigurationError(f"{path}: parameters must be float32, unlike {', '.join(other)}")


def _try(policy: CustomPolicy, seen: gymnasium.spaces.Box) -> None:
    """Let a fresh policy judge a few observations; no weight, statistic or stream is changed.

    Raises:
        ConfigurationError: what comes is of the wrong form, not finite, drawn at random, depends on
            the other observations of the batch, or on not all of the parameters.
    """
    path, before = policy.source, {k: v.clone() for k, v in policy.model.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        generator = torch.Generator().manual_seed(0)
        most = 255.0 if len(seen.shape) > 1 else 1.0
        rows = most * torch.rand((ROWS, *seen.shape), generator=generator)
        together = _numbers(policy, rows)
        again, fewer = _numbers(policy, rows), _numbers(policy, rows[1:])
    if not together.isfinite().all():
        raise ConfigurationError(f"{path}: forward returned numbers that are not finite")
    if not torch.equal(together, again):
        raise ConfigurationError(
            f"{path}: forward returned two answers to the same observations: a policy must give an "
            "action the probability that it was drawn with; leave out dropout and other chance"
        )
    if not torch.allclose(together[1:], fewer, rtol=1e-3, atol=1e-4):  # sums in another order
        raise ConfigurationError(
            f"{path}: what forward returns for an observation depends on the others of the batch; "
            "leave out batch normalisation and the like"
        )
    named = [(name, p) for name, p in policy.model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(together.sum(), [p for _, p in named], allow_unused=True)
    idle = [name for (name, _), gradient in zip(named, gradients, strict=True) if gradient is None]
    if idle:
        raise ConfigurationError(
            f"{path}: neither outputs nor values depend on {', '.join(idle)}; leave them out, or "
            "take them from training by requires_grad_(False)"
        )
    policy.model.load_state_dict(before)


def _numbers(policy: CustomPolicy, rows: Tensor) -> Tensor:
    """Return all that a policy says of observations, [B, ...]."""
    said = policy(rows)
    numbers = [part for part in vars(said.distribution).values() if isinstance(part, Tensor)]
    values = (said.value_extrinsic, said.value_intrinsic)
    return torch.cat([*numbers, *(value.unsqueeze(1) for value in values)], dim=1)
