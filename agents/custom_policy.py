"""A model of the user's as the policy: what it returns is held against what it must."""

import bdb
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian
from configs.errors import ConfigurationError, ScoutError

Shape = tuple[int, ...]


class CustomPolicy(nn.Module):
    """observations -> (outputs, values), as `CustomModel.forward` has it, as a policy.

    Outputs are [B, A] logits of choices, or [B, 2A]: means, then logarithms of the deviations.
    Values are [B], with a bonus [B, 2]: of the environment's reward, then of the bonus.

    Args:
        model: the user's.
        scaling: lays vectors on the scale of a network; frames become float32 of 0 to 255.
        num_actions: A, choices or dimensions.
        discrete: whether actions are choices.
        intrinsic_head: whether there is a bonus.
        source: the model's file, for messages.
        digest: of that file.

    Raises:
        ConfigurationError: (forward) the model raises, or returns something else.
    """

    def __init__(
        self,
        model: nn.Module,
        scaling: nn.Module,
        *,
        num_actions: int,
        discrete: bool,
        intrinsic_head: bool,
        source: Path,
        digest: str,
    ) -> None:
        super().__init__()
        self.model = model
        self.scaling = scaling
        self.source, self.digest = source, digest
        self._num_outputs = num_actions if discrete else 2 * num_actions
        self._discrete = discrete
        self._intrinsic_head = intrinsic_head

    def forward(self, observation: Tensor) -> PolicyOutput:
        """Judge stacked frames [B, S * C, H, W] or vectors [B, S]."""
        seen = self.scaling(observation)
        with of_the_user(self.source, "forward"):
            returned: Any = self.model(seen)
        return self._output(*self._tensors(returned, (observation.shape[0],)))

    def _output(
        self, outputs: Tensor, values: Tensor, memory: Tensor | None = None
    ) -> PolicyOutput:
        """Return what a model says of B observations, [B, num_outputs] and [B] or [B, 2]."""
        outputs, values = outputs.float(), values.float()
        distribution: ActionDistribution = (
            Categorical.from_logits(outputs)
            if self._discrete
            else DiagonalGaussian(*outputs.chunk(2, dim=1))
        )
        if self._intrinsic_head:
            of_reward, of_bonus = values.unbind(dim=1)
            return PolicyOutput(distribution, of_reward, of_bonus, memory)
        return PolicyOutput(distribution, values, torch.zeros_like(values), memory)

    def _tensors(self, returned: Any, leading: Shape) -> tuple[Tensor, Tensor]:
        """Return outputs and values of as many observations as `leading` says, if they are that."""
        wanted = self._shapes(leading)
        if not isinstance(returned, tuple) or len(returned) != len(wanted):
            raise ConfigurationError(
                f"{self.source}: forward returned {told(returned)}; it returns two tensors, "
                f"(outputs, values), here of {' and '.join(str([*s]) for s in wanted.values())}"
            )
        self._check_shapes(returned, wanted, leading)
        outputs, values = returned
        return outputs, values

    def _shapes(self, leading: Shape) -> dict[str, Shape]:
        values = (*leading, 2) if self._intrinsic_head else leading
        return {"outputs": (*leading, self._num_outputs), "values": values}

    def _check_shapes(
        self, returned: Iterable[Any], wanted: Mapping[str, Shape], leading: Shape
    ) -> None:
        """Refuse tensors that are of another shape, or none."""
        for tensor, (name, shape) in zip(returned, wanted.items(), strict=True):
            if isinstance(tensor, Tensor) and tuple(tensor.shape) == shape:
                continue
            why = ""
            if name == "values" and self._intrinsic_head:
                why = "; with a bonus there are two values each: of the reward, and of the bonus"
            raise ConfigurationError(
                f"{self.source}: forward returned {name} of {told(tensor)} for "
                f"{' x '.join(map(str, leading))} observations, and {list(shape)} is wanted{why}"
            )


@contextmanager
def of_the_user(source: Path, doing: str) -> Iterator[None]:
    """Turn what the user's own code raises into one message with their part of the traceback.

    Raises:
        ConfigurationError: with that message.
    """
    try:
        yield
    except (ScoutError, bdb.BdbQuit, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [index for index, frame in enumerate(frames) if frame.filename == str(source)]
        shown = traceback.format_list(frames[own[0] :]) if own else []
        told = "".join([*shown, *traceback.format_exception_only(error)]).rstrip()
        raise ConfigurationError(f"{source}: {doing} raised\n{told}") from error


def told(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
