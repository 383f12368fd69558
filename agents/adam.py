"""Adam on torch's own fused kernel, without what torch.optim does around it.

Kingma and Ba 2014, arXiv 1412.6980, algorithm 1. Small networks pay more for the hooks, checks and
tables of `torch.optim.Adam` than for the arithmetic, and the first one that is made imports torch's
compiler, for about a second. State and results are those of `torch.optim.Adam(fused=True)`, bit for
bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

# As torch.optim.Adam writes them into checkpoints.
DEFAULTS: dict[str, Any] = {
    "betas": (0.9, 0.999),
    "weight_decay": 0,
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": True,
    "decoupled_weight_decay": False,
}
_listeners: list[Callable[[], None]] = []


class Optimizer(Protocol):
    """What takes the steps: FusedAdam, or one of torch.optim's."""

    param_groups: list[dict[str, Any]]

    def step(self) -> Any:
        """Change the parameters."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it remembers."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


@contextmanager
def told_of_steps(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener` after every step of every optimiser of this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell_of_step() -> None:
    """Call all listeners: a step was taken."""
    for listener in tuple(_listeners):
        listener()


class FusedAdam:
    """Adam over groups of parameters with a step size each.

    Args:
        groups: each with its "params" and its "lr".
        eps: ε, added to the root of the second moment.

    Attributes:
        param_groups: the groups; who changes an "lr" there changes the next step.
        found_inf: where this scalar tensor is 1, a step on a GPU changes nothing.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], *, eps: float) -> None:
        self.param_groups = [{**group, "eps": eps, **DEFAULTS} for group in groups]
        self.found_inf: Tensor | None = None
        self._moments: dict[nn.Parameter, dict[str, Tensor]] = {}

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            self._step(group)
        tell_of_step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of torch.optim.Adam's, parameters numbered in order."""
        numbers = {parameter: number for number, parameter in enumerate(self._parameters())}
        groups = [
            {**group, "params": [numbers[parameter] for parameter in group["params"]]}
            for group in self.param_groups
        ]
        state = {numbers[parameter]: moments for parameter, moments in self._moments.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict`, or torch.optim.Adam's, returned.

        Raises:
            ValueError: it is of other groups or other shapes.
        """
        sizes = [len(group["params"]) for group in state_dict["param_groups"]]
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise ValueError("the optimiser's state has other groups of parameters")
        for group, loaded in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group |= {name: value for name, value in loaded.items() if name != "params"}
        self._moments = {}
        for number, parameter in enumerate(self._parameters()):
            if number in state_dict["state"]:
                self._moments[parameter] = _fitting(state_dict["state"][number], parameter)

    def _parameters(self) -> Iterator[nn.Parameter]:
        for group in self.param_groups:
            yield from group["params"]

    def _step(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        moments = [self._moments.get(p) or self._begin(p) for p in parameters]
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            adam(
                parameters,
                [p.grad for p in parameters],
                [each["exp_avg"] for each in moments],
                [each["exp_avg_sq"] for each in moments],
                [],
                [each["step"] for each in moments],
                foreach=False,
                fused=True,
                grad_scale=None,
                found_inf=self.found_inf,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=0.0,
                eps=group["eps"],
                maximize=False,
            )

    def _begin(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        self._moments[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
        return self._moments[parameter]


def _fitting(moments: dict[str, Tensor], parameter: nn.Parameter) -> dict[str, Tensor]:
    """Return a parameter's loaded moments on its device."""
    if moments["exp_avg"].shape != parameter.shape:
        raise ValueError(
            f"the optimiser's state is of a parameter {list(moments['exp_avg'].shape)}, "
            f"not {list(parameter.shape)}"
        )
    return {
        name: value.to(parameter.device, torch.float32, copy=True)
        for name, value in moments.items()
    }
