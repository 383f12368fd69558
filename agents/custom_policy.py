"""A model of the user's as the policy: what it returns is held against what it must."""

import bdb
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian
from configs.errors import ConfigurationError, ScoutError


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
        outputs, values = self._checked(returned, len(observation))
        extrinsic, intrinsic = values.unbind(dim=1) if self._intrinsic_head else (values, None)
        if intrinsic is None:
            intrinsic = torch.zeros_like(extrinsic)
        return PolicyOutput(self._distribution(outputs), extrinsic, intrinsic)

    def _distribution(self, outputs: Tensor) -> ActionDistribution:
        if self._discrete:
            return Categorical.from_logits(outputs)
        return DiagonalGaussian(*outputs.chunk(2, dim=1))

    def _checked(self, returned: Any, batch: int) -> tuple[Tensor, Tensor]:
        """Return outputs and values in float32, if that is what they are."""
        wanted: dict[str, tuple[int, ...]] = {
            "outputs": (batch, self._num_outputs),
            "values": (batch, 2) if self._intrinsic_head else (batch,),
        }
        if not isinstance(returned, tuple) or len(returned) != len(wanted):
            raise ConfigurationError(
                f"{self.source}: forward returned {_told(returned)}; it returns two tensors, "
                f"(outputs, values), here of {_shapes(wanted)}"
            )
        for tensor, (name, shape) in zip(returned, wanted.items(), strict=True):
            if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shape:
                why = ""
                if name == "values" and self._intrinsic_head:
                    why = (
                        "; with a bonus there are two values each: of the reward, and of the bonus"
                    )
                raise ConfigurationError(
                    f"{self.source}: forward returned {name} of {_told(tensor)} for {batch} "
                    f"observations, and {list(shape)} is wanted{why}"
                )
        outputs, values = returned
        return outputs.float(), values.float()


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


def _told(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a {type(value).__name__}"


def _shapes(wanted: dict[str, tuple[int, ...]]) -> str:
    return " and ".join(str(list(shape)) for shape in wanted.values())
