"""Controllers: a population at once, flat parameters and modules, what becomes of outputs."""

import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.controllers.actions import BoxActions, CarRacingActions, DiscreteActions, build_actions
from agents.controllers.controller import Controller, ControllerInputs, build_controller

P, E, D, H = 5, 3, 4, 6
KINDS = {
    "linear": Controller(ControllerInputs(D, H, with_change=True), CarRacingActions()),
    "hidden": Controller(ControllerInputs(D, H), BoxActions([-2.0, 0.0], [2.0, 1.0]), 7),
    "choices": Controller(ControllerInputs(D), DiscreteActions(4), 3),
}
EVERY = pytest.mark.parametrize("controller", list(KINDS.values()), ids=list(KINDS))


def seen(controller: Controller, seed: int = 0) -> dict[str, Tensor | None]:
    generator = torch.Generator().manual_seed(seed)
    latents, before = torch.randn(2, P, E, D, generator=generator)
    hidden = torch.randn(P, E, H, generator=generator)
    return {
        "latents": latents,
        "hidden": hidden if controller.inputs.hidden_size else None,
        "before": before if controller.inputs.with_change else None,
    }


def population(controller: Controller) -> Tensor:
    return torch.randn(P, controller.num_parameters, generator=torch.Generator().manual_seed(1))


def slow_outputs(controller: Controller, parameters: Tensor, x: Tensor) -> np.ndarray:
    """One member and one input, layer by layer in numpy."""
    flat, values = parameters.double().numpy(), x.double().numpy()
    sizes = [controller.inputs.size, controller.hidden_units, controller.actions.num_outputs]
    sizes = [size for size in sizes if size]
    for place in range(len(sizes) - 1):
        before, after = sizes[place : place + 2]
        weights, flat = flat[: before * after].reshape(after, before), flat[before * after :]
        biases, flat = flat[:after], flat[after:]
        values = weights @ (np.tanh(values) if place else values) + biases
    assert not len(flat)
    return values


@EVERY
def test_a_population_says_what_each_member_would_alone(controller: Controller) -> None:
    parameters, given = population(controller), seen(controller)
    inputs = controller.inputs.join(**given)  # type: ignore[arg-type]
    found = controller.outputs(parameters, inputs)
    assert found.shape == (P, E, controller.actions.num_outputs)
    for p in range(P):
        for e in range(E):
            expected = slow_outputs(controller, parameters[p], inputs[p, e])
            np.testing.assert_allclose(found[p, e], expected, rtol=1e-4, atol=1e-4)


@EVERY
def test_the_same_parameters_act_the_same_and_draw_nothing(controller: Controller) -> None:
    parameters, given, state = population(controller), seen(controller), torch.get_rng_state()
    one, other = (controller.act(parameters, **given) for _ in range(2))  # type: ignore[arg-type]
    assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.shape[:2] == (P, E)


@EVERY
def test_a_member_is_a_module_and_a_module_its_parameters(controller: Controller) -> None:
    parameters, given = population(controller), seen(controller)
    inputs = controller.inputs.join(**given)  # type: ignore[arg-type]
    actions = controller.act(parameters, **given)  # type: ignore[arg-type]
    for p in range(P):
        module = controller.module(parameters[p])
        assert torch.equal(controller.flatten(module), parameters[p])
        torch.testing.assert_close(module(inputs[p]).detach(), actions[p], rtol=1e-5, atol=1e-5)


@EVERY
def test_a_description_makes_it_anew(controller: Controller) -> None:
    again = build_controller(json.loads(json.dumps(controller.facts)))
    assert again.facts == controller.facts
    given = seen(controller)
    parameters = population(controller)
    assert torch.equal(again.act(parameters, **given), controller.act(parameters, **given))  # type: ignore[arg-type]


def test_the_papers_controller_has_867_parameters() -> None:
    assert Controller(ControllerInputs(32, 256), CarRacingActions()).num_parameters == 867


def test_what_is_missing_or_too_much_is_refused_by_its_name() -> None:
    latents, parameters = torch.zeros(P, E, D), torch.zeros(P, 10)
    linear = KINDS["linear"]
    with pytest.raises(ValueError, match="hidden of 0 numbers came, the controller takes 6"):
        linear.inputs.join(latents)
    with pytest.raises(ValueError, match="before of 0 numbers"):
        linear.inputs.join(latents, hidden=torch.zeros(P, E, H))
    with pytest.raises(ValueError, match="before of 4 numbers came, the controller takes 0"):
        ControllerInputs(D).join(latents, before=latents)
    with pytest.raises(ValueError, match="has 31 for each member"):
        KINDS["choices"].act(parameters, latents)
    with pytest.raises(ValueError, match="no controller is described"):
        build_controller({"inputs": {"size": 3}})


def test_boxes_are_reached_from_within_and_never_left() -> None:
    low, high = [-2.0, 1.0, None, None], [2.0, math.inf, 3.0, None]
    actions = BoxActions(low, high)
    outputs = torch.linspace(-30.0, 30.0, 601).unsqueeze(1).expand(-1, 4)
    found = actions(outputs)
    assert found[:, 0].min() >= -2.0
    assert found[:, 0].max() <= 2.0
    assert found[:, 1].min() >= 1.0
    assert found[:, 2].max() <= 3.0
    assert torch.equal(found[:, 3], outputs[:, 3])
    assert (found.diff(dim=0) >= 0).all()
    torch.testing.assert_close(found[[0, -1], 0], torch.tensor([-2.0, 2.0]))
    torch.testing.assert_close(actions(torch.zeros(4))[0], torch.tensor(0.0))
    assert build_actions(json.loads(json.dumps(actions.facts))).facts == actions.facts


def test_a_car_steers_both_ways_and_brakes_only_when_told() -> None:
    found = CarRacingActions()(torch.tensor([[0.0, 0.0, 0.0], [-9.0, 9.0, -9.0], [9.0, -9.0, 9.0]]))
    expected = torch.tensor([[0.0, 0.5, 0.0], [-1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-4)


def test_choices_are_the_largest_output() -> None:
    assert DiscreteActions(3)(torch.tensor([[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("low", "high"), [([0.0], [0.0]), ([0.0, 1.0], [2.0]), ([math.nan], [1.0])]
)
def test_bounds_that_are_none_are_refused(low: list[float], high: list[float]) -> None:
    with pytest.raises(ValueError, match="bounds"):
        BoxActions(low, high)


def test_a_map_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no map of actions"):
        build_actions({"kind": "dice"})


@pytest.mark.parametrize("size", [4, 266, 321, 512])
def test_a_member_says_the_same_wherever_it_lies_among_others(size: int) -> None:
    """Products of matrices would differ in their last bits: at 266 and 321 inputs, for one."""
    draw = torch.Generator().manual_seed(3)
    for outputs in (1, 2, 3):
        made = Controller(ControllerInputs(size), DiscreteActions(outputs))
        parameters = torch.randn(20, made.num_parameters, generator=draw)
        inputs = torch.randn(20, 1, size, generator=draw)
        wanted = made.outputs(parameters, inputs)
        for count in (1, 3, 8, 13):
            rows = torch.randint(0, 20, (count,), generator=draw)
            assert torch.equal(made.outputs(parameters[rows], inputs[rows]), wanted[rows])
