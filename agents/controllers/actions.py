"""From what a controller says, which has no bounds, to an environment's actions. Nothing is drawn.

Axes: A numbers of an action, U outputs of a controller.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

CAR_RACING_OUTPUTS = 3


class ActionMap(nn.Module, ABC):
    """A function of a controller's outputs.

    Args:
        num_outputs: U.
        settings: what it was made with, as JSON knows it.
    """

    kind: ClassVar[str]

    def __init__(self, num_outputs: int, settings: dict[str, Any]) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self._settings = settings

    @property
    def facts(self) -> dict[str, Any]:
        """A description in JSON's types, from which `build_actions` makes it anew."""
        return {"kind": self.kind, **self._settings}

    @abstractmethod
    def forward(self, outputs: Tensor) -> Tensor:
        """Return actions [..., A], or choices [...], of outputs [..., U]."""


class BoxActions(ActionMap):
    """Numbers with bounds of their own; an output of 0 is the middle.

        both bounds      low + (high - low) (1 + tanh u) / 2
        a lower one      low + softplus(u)
        an upper one     high - softplus(-u)
        none             u

    Args:
        low, high: [A] bounds; None or infinite where there is none.

    Raises:
        ValueError: bounds of different lengths, or in the wrong order.
    """

    kind = "box"
    low: Tensor
    high: Tensor

    def __init__(self, low: Sequence[float | None], high: Sequence[float | None]) -> None:
        lows = [-math.inf if bound is None else float(bound) for bound in low]
        highs = [math.inf if bound is None else float(bound) for bound in high]
        if len(lows) != len(highs) or not all(a < b for a, b in zip(lows, highs, strict=True)):
            raise ValueError(f"bounds {lows} and {highs}: as many of both, each low below its high")
        super().__init__(len(lows), {"low": _finite(lows), "high": _finite(highs)})
        self.register_buffer("low", torch.tensor(lows))
        self.register_buffer("high", torch.tensor(highs))

    def forward(self, outputs: Tensor) -> Tensor:
        """Return actions [..., A] of outputs [..., A]."""
        has_low, has_high = self.low.isfinite(), self.high.isfinite()
        low = torch.where(has_low, self.low, 0.0)
        high = torch.where(has_high, self.high, 0.0)
        between = low + (high - low) * (0.5 + 0.5 * outputs.tanh())
        above, below = low + softplus(outputs), high - softplus(-outputs)
        one_sided = torch.where(has_low, above, torch.where(has_high, below, outputs))
        return torch.where(has_low & has_high, between, one_sided)


class CarRacingActions(ActionMap):
    """Steering, gas and brake: tanh u_0, (1 + tanh u_1) / 2, max(tanh u_2, 0).

    Ha and Schmidhuber 2018, arXiv 1803.10122, their code. A car whose outputs are about 0 would
    stand on its brake if that had the middle of its range there.
    """

    kind = "car_racing"

    def __init__(self) -> None:
        super().__init__(CAR_RACING_OUTPUTS, {})

    def forward(self, outputs: Tensor) -> Tensor:
        """Return actions [..., 3] of outputs [..., 3]."""
        steering, gas, brake = outputs.tanh().unbind(dim=-1)
        return torch.stack([steering, 0.5 + 0.5 * gas, brake.clamp_min(0.0)], dim=-1)


class DiscreteActions(ActionMap):
    """The choice with the largest output.

    Args:
        num_choices: how many there are, U.
    """

    kind = "discrete"

    def __init__(self, num_choices: int) -> None:
        super().__init__(num_choices, {"num_choices": num_choices})

    def forward(self, outputs: Tensor) -> Tensor:
        """Return choices [...], int64, of outputs [..., U]."""
        return outputs.argmax(dim=-1)


def build_actions(facts: dict[str, Any]) -> ActionMap:
    """Return the map that `facts` describe.

    Raises:
        ValueError: no such kind, or settings that it does not have.
    """
    settings = {name: value for name, value in facts.items() if name != "kind"}
    kinds: dict[str, Any] = {
        each.kind: each for each in (BoxActions, CarRacingActions, DiscreteActions)
    }
    try:
        made: ActionMap = kinds[facts["kind"]](**settings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no map of actions is described by {facts}") from error
    return made


def _finite(bounds: list[float]) -> list[float | None]:
    return [bound if math.isfinite(bound) else None for bound in bounds]
