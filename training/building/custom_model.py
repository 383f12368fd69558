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

from agents.custom_policy import CustomPolicy, of_the_user, told
from agents.recurrent.custom_policy import RecurrentCustomPolicy
from configs.errors import ConfigurationError
from configs.schema import Config
from training.building.custom_source import FOLDER, Source, read_source
from training.building.custom_trial import try_policy
from training.building.memory import check_minibatches
from training.building.scaling import build_scaling
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import output_bounds


def try_custom_model(config: Config, spec: EnvironmentSpec) -> None:
    """Refuse a model that cannot be trained, before anything is replaced for it.

    Raises:
        ConfigurationError: as `build_custom_policy`, or there are too few environments for it.
    """
    if config.custom_model_name is None:
        return
    with torch.random.fork_rng(devices=[]):
        policy = build_custom_policy(config, spec)
    if isinstance(policy, RecurrentCustomPolicy):
        check_minibatches(config, f"{policy.source}: get_initial_state")


def build_custom_policy(config: Config, spec: EnvironmentSpec) -> CustomPolicy:
    """Make the user's model, and try it.

    Args:
        config: the run's configuration, with a custom model.
        spec: the environment.

    Raises:
        ConfigurationError: the file, the class, or what it makes cannot be used.
    """
    assert config.custom_model_name is not None
    source = read_source(config.custom_model_name)
    seen = _observation_space(config, spec)
    discrete, a = spec.discrete, spec.num_actions
    # Of outputs, not of actions: ActionMapping lays the outputs out between an action's bounds.
    acted = gymnasium.spaces.Discrete(a) if discrete else _box(*output_bounds(spec), a)
    made_with = json.loads(config.ppo.custom_model_config)
    kind = _load_class(source)
    with of_the_user(source.path, "CustomModel(...)"):
        model = kind(seen, acted, a if discrete else 2 * a, made_with)
    _check_module(model, source.path)
    about: dict[str, Any] = {
        "num_actions": a,
        "discrete": discrete,
        "intrinsic_head": config.intrinsic.kind != "none",
        "source": source.path,
        "digest": source.digest,
    }
    policy: CustomPolicy
    if hasattr(model, "get_initial_state"):
        shapes = _state_shapes(model, source.path)
        scaling = build_scaling(config, spec)
        policy = RecurrentCustomPolicy(model, scaling, state_shapes=shapes, **about)
    else:
        _check_forward(model, source.path)
        policy = CustomPolicy(model, build_scaling(config, spec), **about)
    try_policy(policy, seen, config.ppo.rollout_steps)
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


def _check_forward(model: nn.Module, path: Path) -> None:
    """Refuse a forward that asks for a state which nobody begins."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    asked = [
        each.name
        for each in parameters
        if each.default is each.empty
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if len(asked) > 1:
        raise ConfigurationError(
            f"{path}: forward asks for {', '.join(asked)}, and CustomModel has no "
            "get_initial_state: a model that remembers begins with one; any other is given the "
            "observations alone"
        )


def _state_shapes(model: nn.Module, path: Path) -> list[tuple[int, ...]]:
    """Return the shapes of what a model remembers, without a batch."""
    with of_the_user(path, "get_initial_state"):
        state: Any = model.get_initial_state()  # type: ignore[operator] # whatever it is
    if not isinstance(state, list | tuple) or not state:
        raise ConfigurationError(
            f"{path}: get_initial_state returned {told(state)}, and a list of tensors is wanted, "
            "each of what one episode remembers, without a batch"
        )
    for index, part in enumerate(state):
        if not isinstance(part, Tensor) or part.dtype != torch.float32 or not part.numel():
            found = f"{told(part)} of {part.dtype}" if isinstance(part, Tensor) else told(part)
            raise ConfigurationError(
                f"{path}: get_initial_state returned {found} as state {index}, and a tensor of "
                "torch.float32 is wanted, such as torch.zeros(64)"
            )
        if part.any():
            raise ConfigurationError(
                f"{path}: get_initial_state returned numbers other than zero as state {index}: "
                "what is remembered begins at zero; add a start of its own in forward"
            )
    return [tuple(part.shape) for part in state]
