"""A policy as a graph of tensors alone: torch's own form (.pt2), and ONNX."""

import importlib.util
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.td3.actor_policy import ActorPolicy
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import reach_of

INPUT, MEMORY, NEXT_MEMORY = "observation", "memory", "next_memory"
BATCH = "batch"
ONNX_PACKAGES = ("onnx", "onnxscript")


class ActionUnits(nn.Module):
    """Continuous outputs of a policy -> actions in the environment's units, within its bounds.

    Args:
        spec: the environment.
    """

    offset: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__()
        offset, scale = reach_of(spec)
        size = spec.num_actions
        for name, values in (
            ("offset", offset),
            ("scale", scale),
            ("low", spec.action_low or (-math.inf,) * size),
            ("high", spec.action_high or (math.inf,) * size),
        ):
            self.register_buffer(name, torch.tensor(values).float())

    def forward(self, outputs: Tensor) -> Tensor:
        """Return the actions [B, A] that outputs [B, A] stand for."""
        reached = self.offset + self.scale * outputs
        return torch.minimum(torch.maximum(reached, self.low), self.high)


class PolicyGraph(nn.Module):
    """The policy with tensors for its output, in the order of `output_names`.

    A continuous policy's mean and log_std are of its own output, before it is laid out between the
    environment's bounds; the action is the likeliest one, after that.

    Args:
        policy: observations -> PolicyOutput.
        spec: the environment, whose units and bounds the graph's action has.
    """

    def __init__(self, policy: nn.Module, spec: EnvironmentSpec) -> None:
        super().__init__()
        self.policy = policy
        self.units = None if spec.discrete else ActionUnits(spec)

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """Judge stacked frames uint8 [B, S * C, H, W], or vectors float32 [B, D].

        Returns:
            logits [B, A], which are normalised, or mean, log_std and action [B, A]; the values
            [B] each.
        """
        return self.tensors(self.policy(observation))

    def tensors(self, output: PolicyOutput) -> tuple[Tensor, ...]:
        """Return what a policy said as tensors; without its memory."""
        distribution, extrinsic, intrinsic, _ = output
        if isinstance(distribution, Categorical):
            return distribution.log_probs, extrinsic, intrinsic
        assert isinstance(distribution, DiagonalGaussian)
        assert self.units is not None
        mean = distribution.mean
        return mean, distribution.log_std, self.units(mean), extrinsic, intrinsic


class RecurrentPolicyGraph(PolicyGraph):
    """One step of a policy that remembers: its memory goes in, and comes out as it is after it.

    Args:
        policy: a RecurrentPolicy.
        spec: the environment.
    """

    def forward(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Judge observations as a PolicyGraph does, after `memory` [B, M].

        Returns:
            those of a PolicyGraph, and the memory [B, M] for the next step of the same episodes.
        """
        output: PolicyOutput = self.policy.step(observation, memory)  # type: ignore[operator]
        assert output.memory is not None
        return *self.tensors(output), output.memory


class ActorGraph(nn.Module):
    """TD3's actor with its first critic, in the order of `output_names`.

    Args:
        actor: observations -> its outputs, and what they are worth.
        spec: the environment, whose units and bounds the graph's action has.
    """

    def __init__(self, actor: ActorPolicy, spec: EnvironmentSpec) -> None:
        super().__init__()
        self.actor = actor
        self.units = ActionUnits(spec)

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """Return mean and action [B, A] and the value [B] for what a PolicyGraph judges."""
        mean, value = self.actor(observation)
        return mean, self.units(mean), value


def input_names(memory_size: int) -> tuple[str, ...]:
    """Return the names of a graph's inputs; `memory_size` is 0 without a memory."""
    return (INPUT, MEMORY) if memory_size else (INPUT,)


def output_names(
    spec: EnvironmentSpec, memory_size: int = 0, *, certain: bool = False
) -> tuple[str, ...]:
    """Return the names of a graph's outputs.

    Args:
        spec: the environment.
        memory_size: 0 without a memory.
        certain: those of an ActorGraph, whose actions are not drawn.
    """
    if certain:
        return "mean", "action", "value_extrinsic"
    of_actions = ("logits",) if spec.discrete else ("mean", "log_std", "action")
    names = (*of_actions, "value_extrinsic", "value_intrinsic")
    return (*names, NEXT_MEMORY) if memory_size else names


def input_shape(spec: EnvironmentSpec, stack_size: int) -> tuple[int, ...]:
    """Return the shape of one input, without the batch: (S * C, H, W) or (D,)."""
    channels, *rest = spec.observation_shape
    return (channels * stack_size, *rest)


def trace(
    policy: nn.Module, spec: EnvironmentSpec, stack_size: int, memory_size: int = 0
) -> ExportedProgram:
    """Return the policy as a program for batches of any size, on the CPU, in float32.

    Args:
        policy: judges observations; an ActorPolicy, or of PPO.
        spec: the environment.
        stack_size: frames in its input.
        memory_size: what it remembers; then the program is one step, with memory in and out.
    """
    dtype = torch.uint8 if spec.observation_dtype == "uint8" else torch.float32
    example = torch.zeros(2, *input_shape(spec, stack_size), dtype=dtype)  # 1 would be a constant
    remembered = (torch.zeros(2, memory_size),) if memory_size else ()
    graph = _graph(policy, spec, memory_size).cpu().eval()
    shapes = _any_batch(input_names(memory_size))
    with _quiet():
        return torch.export.export(graph, (example, *remembered), dynamic_shapes=shapes)


def _graph(policy: nn.Module, spec: EnvironmentSpec, memory_size: int) -> nn.Module:
    if isinstance(policy, ActorPolicy):
        return ActorGraph(policy, spec)
    return RecurrentPolicyGraph(policy, spec) if memory_size else PolicyGraph(policy, spec)


def program_bytes(program: ExportedProgram) -> bytes:
    """Return a program as the content of a .pt2 file."""
    buffer = io.BytesIO()
    with _quiet():
        torch.export.save(program, buffer)
    return buffer.getvalue()


def missing_for_onnx() -> list[str]:
    """Return the packages that ONNX asks for and that are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]


def onnx_bytes(program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return a program of `trace` as the content of an .onnx file, weights included.

    Args:
        program: whose inputs and outputs are named `inputs` and `outputs`.
    """
    with _quiet():
        model = torch.onnx.export(
            program,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=_any_batch(inputs),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert model is not None
    content: bytes = model.model_proto.SerializeToString()
    return content


def _any_batch(inputs: Sequence[str]) -> dict[str, dict[int, Dim]]:
    batch = Dim(BATCH, min=1)
    return {name: {0: batch} for name in inputs}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says of packages that a policy does without, and of how it is made."""
    logs = [logging.getLogger(f"torch.{name}") for name in ("onnx", "fx")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
