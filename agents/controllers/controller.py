"""Controllers: one or two layers from latents and memory to actions, a whole population at once.

Ha and Schmidhuber 2018, "World Models", arXiv 1803.10122, section 2.3. Axes: P members of a
population, E environments of each, N parameters, D numbers of a latent, H of a memory, I inputs,
A numbers of an action.
"""

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.controllers.actions import ActionMap, build_actions


@dataclass(frozen=True)
class ControllerInputs:
    """What a controller sees: z, and where asked for h and z - z_before.

    Attributes:
        latent_size: D.
        hidden_size: H of the model of sequences beside, 0 where there is none.
        with_change: whether it sees how the latent has changed since the step before.
    """

    latent_size: int
    hidden_size: int = 0
    with_change: bool = False

    @property
    def size(self) -> int:
        """I."""
        return self.latent_size * (1 + self.with_change) + self.hidden_size

    def join(
        self, latents: Tensor, *, hidden: Tensor | None = None, before: Tensor | None = None
    ) -> Tensor:
        """Return inputs [..., I].

        Args:
            latents: [..., D], z.
            hidden: [..., H], h, known before this step's action.
            before: [..., D], z of the step before; at an episode's start z itself.

        Raises:
            ValueError: something is missing, too much, or of another size.
        """
        parts = {"latents": (latents, self.latent_size), "hidden": (hidden, self.hidden_size)}
        parts["before"] = (before, self.latent_size * self.with_change)
        for name, (values, size) in parts.items():
            found = 0 if values is None else values.shape[-1]
            if found != size:
                raise ValueError(f"{name} of {found} numbers came, the controller takes {size}")
        change = None if before is None else latents - before
        return torch.cat([x for x in (latents, hidden, change) if x is not None], dim=-1)


class Controller:
    """A function of flat parameters: for each member of a population, its layers' outputs.

        u = W [z, h, z - z_before] + b                          linear
        u = W_2 tanh(W_1 [z, h, z - z_before] + b_1) + b_2      with a hidden layer

    Parameters lie layer by layer, weights [outputs, inputs] in C order and then biases. Nothing is
    drawn: the same parameters and inputs give the same actions.

    Args:
        inputs: what it sees.
        actions: what becomes of its outputs.
        hidden_units: width of the hidden layer; 0 = there is none.

    Attributes:
        num_parameters: N.
    """

    def __init__(self, inputs: ControllerInputs, actions: ActionMap, hidden_units: int = 0) -> None:
        self.inputs, self.actions, self.hidden_units = inputs, actions, hidden_units
        hidden = (hidden_units,) if hidden_units else ()
        sizes = (inputs.size, *hidden, actions.num_outputs)
        self._layers = list(itertools.pairwise(sizes))
        self.num_parameters = sum((before + 1) * after for before, after in self._layers)

    @property
    def facts(self) -> dict[str, Any]:
        """A description in JSON's types, from which `build_controller` makes it anew."""
        return {
            "inputs": asdict(self.inputs),
            "actions": self.actions.facts,
            "hidden_units": self.hidden_units,
        }

    @torch.no_grad()
    def act(
        self,
        parameters: Tensor,
        latents: Tensor,
        *,
        hidden: Tensor | None = None,
        before: Tensor | None = None,
    ) -> Tensor:
        """Return the actions of all members in all their environments, [P, E, A] or [P, E].

        Args:
            parameters: [P, N], float32.
            latents: [P, E, D].
            hidden: [P, E, H], where it sees h.
            before: [P, E, D], where it sees changes (`ControllerInputs.join`).

        Raises:
            ValueError: parameters or inputs of another size.
        """
        outputs = self.outputs(parameters, self.inputs.join(latents, hidden=hidden, before=before))
        actions: Tensor = self.actions(outputs)
        return actions

    def outputs(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Return what the last layer says, [P, E, U], of inputs [P, E, I].

        Products are taken number by number: the last bits of a product of matrices hang on how many
        there are, and on where in memory they lie.
        """
        outputs = inputs
        for place, (weights, biases) in enumerate(self._split(parameters)):
            outputs = outputs.tanh() if place else outputs
            products = outputs.unsqueeze(2) * weights.unsqueeze(1)  # [P, E, U, I]
            outputs = products.sum(dim=3) + biases.unsqueeze(1)
        return outputs

    def module(self, parameters: Tensor) -> nn.Sequential:
        """Return one member as a module from inputs [..., I] to actions.

        Args:
            parameters: [N].
        """
        modules: list[nn.Module] = []
        for weights, biases in self._split(parameters.unsqueeze(0)):
            layer = nn.Linear(weights.shape[2], weights.shape[1])
            layer.load_state_dict({"weight": weights[0], "bias": biases[0]})
            modules += [nn.Tanh(), layer] if modules else [layer]
        return nn.Sequential(*modules, self.actions)

    def flatten(self, module: nn.Sequential) -> Tensor:
        """Return the parameters [N] of a module that `module` gave."""
        layers = [layer for layer in module if isinstance(layer, nn.Linear)]
        return torch.cat(
            [part.detach().flatten() for layer in layers for part in (layer.weight, layer.bias)]
        )

    def _split(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the weights [P, outputs, inputs] and biases [P, outputs] of each layer."""
        if parameters.dim() != 2 or parameters.shape[1] != self.num_parameters:
            raise ValueError(
                f"parameters of shape {tuple(parameters.shape)} came, the controller has "
                f"{self.num_parameters} for each member"
            )
        sizes = [size for i, o in self._layers for size in (i * o, o)]
        parts = parameters.split(sizes, dim=1)
        return [
            (weights.unflatten(1, (o, i)), biases)
            for (i, o), weights, biases in zip(self._layers, parts[::2], parts[1::2], strict=True)
        ]


def build_controller(facts: dict[str, Any]) -> Controller:
    """Return the controller that `facts` describe.

    Raises:
        ValueError: they describe none.
    """
    try:
        inputs, actions = ControllerInputs(**facts["inputs"]), build_actions(facts["actions"])
        return Controller(inputs, actions, facts["hidden_units"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"no controller is described by {facts}") from error
