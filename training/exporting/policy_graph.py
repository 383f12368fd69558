"""A policy as a graph of tensors alone: torch's own form (.pt2), and ONNX."""

import importlib.util
import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import Categorical, DiagonalGaussian
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import reach_of

INPUT, MEMORY, NEXT_MEMORY = "observation", "memory", "next_memory"
BATCH = "batch"
ONNX_PACKAGES = ("onnx", "onnxscript")


class PolicyGraph(nn.Module):
    """The policy with tensors for its output, in the order of `output_names`.

    A continuous policy's mean and log_std are of its own output, before it is laid out between the
    environment's bounds; the action is the likeliest one, after that.

    Args:
        policy: observations -> PolicyOutput.
        spec: the environment, whose units and bounds the graph's action has.
    """

    offset: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, policy: nn.Module, spec: EnvironmentSpec) -> None:
        super().__init__()
        self.policy = policy
        if spec.discrete:
            return
        offset, scale = reach_of(spec)
        size = spec.num_actions
        for name, values in (
            ("offset", offset),
            ("scale", scale),
            ("low", spec.action_low or (-math.inf,) * size),
            ("high", spec.action_high or (math.inf,) * size),
        ):
            self.register_buffer(name, torch.tensor(values).float())

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
        reached = self.offset + self.scale * distribution.mean
        action = torch.minimum(torch.maximum(reached, self.low), self.high)
        return distribution.mean, distribution.log_std, action, extrinsic, intrinsic


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


def input_names(memory_size: int) -> tuple[str, ...]:
    """Return the names of a graph's inputs; `memory_size` is 0 without a memory."""
    return (INPUT, MEMORY) if memory_size else (INPUT,)


def output_names(spec: EnvironmentSpec, memory_size: int = 0) -> tuple[str, ...]:
    """Return the names of a graph's outputs; `memory_size` is 0 without a memory."""
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
        policy: judges observations.
        spec: the environment.
        stack_size: frames in its input.
        memory_size: what it remembers; then the program is one step, with memory in and out.
    """
    dtype = torch.uint8 if spec.observation_dtype == "uint8" else torch.float32
    example = torch.zeros(2, *input_shape(spec, stack_size), dtype=dtype)  # 1 would be a constant
    remembered = (torch.zeros(2, memory_size),) if memory_size else ()
    kind = RecurrentPolicyGraph if memory_size else PolicyGraph
    graph = kind(policy, spec).cpu().eval()
    shapes = _any_batch(memory_size)
    with _quiet():
        return torch.export.export(graph, (example, *remembered), dynamic_shapes=shapes)


def program_bytes(program: ExportedProgram) -> bytes:
    """Return a program as the content of a .pt2 file."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def missing_for_onnx() -> list[str]:
    """Return the packages that ONNX asks for and that are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]


def onnx_bytes(program: ExportedProgram, spec: EnvironmentSpec, memory_size: int = 0) -> bytes:
    """Return a program of `trace` as the content of an .onnx file, weights included."""
    with _quiet():
        model = torch.onnx.export(
            program,
            input_names=input_names(memory_size),
            output_names=output_names(spec, memory_size),
            dynamic_shapes=_any_batch(memory_size),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert model is not None
    content: bytes = model.model_proto.SerializeToString()
    return content


def _any_batch(memory_size: int) -> dict[str, dict[int, Dim]]:
    batch = Dim(BATCH, min=1)
    return {name: {0: batch} for name in input_names(memory_size)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says of packages that a policy does without, and of its own layers."""
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
