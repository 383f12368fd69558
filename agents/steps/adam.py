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
        self._moments = [_Moments(group["params"]) for group in self.param_groups]

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group, moments in zip(self.param_groups, self._moments, strict=True):
            self._step(group, moments)
        tell_of_step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of torch.optim.Adam's, parameters numbered in order."""
        state: dict[int, dict[str, Tensor]] = {}
        groups: list[dict[str, Any]] = []
        for group, moments, first in self._numbered():
            state |= {first + index: known for index, known in moments.state().items()}
            numbers = range(first, first + len(group["params"]))
            groups.append({**group, "params": list(numbers)})
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
        self._moments = [_Moments(group["params"]) for group in self.param_groups]
        for group, moments, first in self._numbered():
            for index in range(len(group["params"])):
                if first + index in state_dict["state"]:
                    moments.load(index, state_dict["state"][first + index])

    def _numbered(self) -> Iterator[tuple[dict[str, Any], "_Moments", int]]:
        """Give each group, its moments, and the number of its first parameter among all."""
        first = 0
        for group, moments in zip(self.param_groups, self._moments, strict=True):
            yield group, moments, first
            first += len(group["params"])

    @torch.no_grad()
    def _step(self, group: dict[str, Any], moments: "_Moments") -> None:
        parameters, gradients = group["params"], [p.grad for p in group["params"]]
        chosen = [index for index, gradient in enumerate(gradients) if gradient is not None]
        if not chosen:
            return
        moments.count(chosen, 1.0)
        beta1, beta2 = group["betas"]
        torch._fused_adam_(
            [parameters[index] for index in chosen],
            [gradients[index] for index in chosen],
            [moments.first[index] for index in chosen],
            [moments.second[index] for index in chosen],
            [],
            [moments.steps[index] for index in chosen],
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            found_inf=self.found_inf,
        )
        if self.found_inf is not None:  # where it is 1 the step was left out
            moments.count(chosen, -self.found_inf)


class _Moments:
    """First and second moments of a group's parameters, and the steps that each has taken.

    The steps are views of one tensor, so that one addition counts all of them on.

    Attributes:
        steps, first, second: as Adam's kernel takes them, one for each parameter.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._counts = torch.zeros(len(parameters), device=parameters[0].device)
        self.steps = list(self._counts.unbind())
        self.first = [torch.zeros_like(parameter) for parameter in parameters]
        self.second = [torch.zeros_like(parameter) for parameter in parameters]

    def count(self, chosen: Sequence[int], difference: float | Tensor) -> None:
        """Add to the steps of some parameters."""
        if len(chosen) == len(self.steps):
            self._counts.add_(difference)
        else:
            for index in chosen:
                self.steps[index].add_(difference)

    def state(self) -> dict[int, dict[str, Tensor]]:
        """Return what is known of each parameter that has taken a step, by its index."""
        return {
            index: {
                "step": self.steps[index].clone(),
                "exp_avg": self.first[index],
                "exp_avg_sq": self.second[index],
            }
            for index, count in enumerate(self._counts.tolist())
            if count
        }

    def load(self, index: int, state: dict[str, Tensor]) -> None:
        """Take over what is known of a parameter."""
        wanted, found = self.first[index].shape, state["exp_avg"].shape
        if found != wanted:
            raise ValueError(
                f"the optimiser's state is of a parameter {list(found)}, not {list(wanted)}"
            )
        self.steps[index].copy_(state["step"])
        self.first[index].copy_(state["exp_avg"])
        self.second[index].copy_(state["exp_avg_sq"])
