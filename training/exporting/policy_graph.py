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

from agents.networks.distributions import Categorical, DiagonalGaussian
from workers.environments.base import EnvironmentSpec

INPUT = "observation"
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
        size = spec.num_actions
        for name, values, missing in (
            ("offset", spec.action_offset, 0.0),
            ("scale", spec.action_scale, 1.0),
            ("low", spec.action_low, -math.inf),
            ("high", spec.action_high, math.inf),
        ):
            self.register_buffer(name, torch.tensor(values or (missing,) * size).float())

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """Judge stacked frames uint8 [B, S * C, H, W], or vectors float32 [B, D].

        Returns:
            logits [B, A], which are normalised, or mean, log_std and action [B, A]; the values
            [B] each.
        """
        distribution, *values = self.policy(observation)
        if isinstance(distribution, Categorical):
            return (distribution.log_probs, *values)
        assert isinstance(distribution, DiagonalGaussian)
        reached = self.offset + self.scale * distribution.mean
        action = torch.minimum(torch.maximum(reached, self.low), self.high)
        return (distribution.mean, distribution.log_std, action, *values)


def output_names(spec: EnvironmentSpec) -> tuple[str, ...]:
    """Return the names of a graph's outputs."""
    of_actions = ("logits",) if spec.discrete else ("mean", "log_std", "action")
    return (*of_actions, "value_extrinsic", "value_intrinsic")


def input_shape(spec: EnvironmentSpec, stack_size: int) -> tuple[int, ...]:
    """Return the shape of one input, without the batch: (S * C, H, W) or (D,)."""
    channels, *rest = spec.observation_shape
    return (channels * stack_size, *rest)


def trace(policy: nn.Module, spec: EnvironmentSpec, stack_size: int) -> ExportedProgram:
    """Return the policy as a program for batches of any size, on the CPU, in float32."""
    dtype = torch.uint8 if spec.observation_dtype == "uint8" else torch.float32
    example = torch.zeros(2, *input_shape(spec, stack_size), dtype=dtype)  # 1 would be a constant
    graph = PolicyGraph(policy, spec).cpu().eval()
    return torch.export.export(graph, (example,), dynamic_shapes=_any_batch())


def program_bytes(program: ExportedProgram) -> bytes:
    """Return a program as the content of a .pt2 file."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def missing_for_onnx() -> list[str]:
    """Return the packages that ONNX asks for and that are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]


def onnx_bytes(program: ExportedProgram, spec: EnvironmentSpec) -> bytes:
    """Return a program as the content of an .onnx file, weights included."""
    with _quiet():
        model = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=output_names(spec),
            dynamic_shapes=_any_batch(),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert model is not None
    content: bytes = model.model_proto.SerializeToString()
    return content


def _any_batch() -> dict[str, dict[int, Dim]]:
    return {INPUT: {0: Dim(BATCH, min=1)}}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of packages that a policy does without."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
