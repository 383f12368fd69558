"""Our Adam is torch's, bit for bit, and neither knows which of them wrote a checkpoint."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from agents.steps.adam import FusedAdam, tell_of_step, told_of_steps
from tests.architecture.test_floors import ROOT

EPS = 1e-5


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))


def groups_of(module: nn.Module) -> list[dict[str, object]]:
    """The first layer and the rest, with a step size each."""
    first, *rest = [list(child.parameters()) for child in module.children()]
    return [
        {"params": first, "lr": 1e-2},
        {"params": [p for part in rest for p in part], "lr": 3e-3},
    ]


def descend(module: nn.Module, optimizer: FusedAdam | torch.optim.Adam, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        module.zero_grad()
        module(torch.randn(11, 5, generator=generator)).square().sum().backward()
        optimizer.param_groups[1]["lr"] = 3e-3 / (1 + step)
        optimizer.step()


def weights(module: nn.Module) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in module.parameters()]


def test_twenty_steps_are_those_of_torch_to_the_last_bit() -> None:
    ours, theirs = network(), network()
    descend(ours, FusedAdam(groups_of(ours), eps=EPS), range(20))
    descend(theirs, torch.optim.Adam(groups_of(theirs), eps=EPS, fused=True), range(20))
    assert weights(ours) == weights(theirs)


def test_what_one_saves_the_other_continues() -> None:
    ours, theirs = network(), network()
    mine = FusedAdam(groups_of(ours), eps=EPS)
    torchs = torch.optim.Adam(groups_of(theirs), eps=EPS, fused=True)
    descend(ours, mine, range(5))
    descend(theirs, torchs, range(5))
    saved, of_torch = copy.deepcopy(mine.state_dict()), copy.deepcopy(torchs.state_dict())
    assert saved["param_groups"] == of_torch["param_groups"]
    assert saved["state"].keys() == of_torch["state"].keys()
    torchs.load_state_dict(saved)
    mine.load_state_dict(of_torch)
    descend(ours, mine, range(5, 10))
    descend(theirs, torchs, range(5, 10))
    assert weights(ours) == weights(theirs)


def test_a_parameter_without_a_gradient_stays_and_has_no_state() -> None:
    module = network()
    optimizer = FusedAdam(groups_of(module), eps=EPS)
    before = weights(module)
    optimizer.step()
    assert weights(module) == before
    assert optimizer.state_dict()["state"] == {}


def test_a_parameter_that_misses_a_step_counts_its_own_steps_as_torchs_does() -> None:
    ours, theirs = network(), network()
    mine = FusedAdam(groups_of(ours), eps=EPS)
    torchs = torch.optim.Adam(groups_of(theirs), eps=EPS, fused=True)
    for module, optimizer in ((ours, mine), (theirs, torchs)):
        descend(module, optimizer, range(2))
        module.get_parameter("0.bias").grad = None
        optimizer.step()
        descend(module, optimizer, range(2, 5))
    assert weights(ours) == weights(theirs)
    counts = [
        [float(one["step"]) for one in each.state_dict()["state"].values()]
        for each in (mine, torchs)
    ]
    assert counts[0] == counts[1] == [6.0, 5.0, 6.0, 6.0]


def test_a_step_that_is_left_out_is_not_counted() -> None:
    module = network()
    optimizer = FusedAdam(groups_of(module), eps=EPS)
    descend(module, optimizer, range(2))
    before = weights(module)
    optimizer.found_inf = torch.ones(())
    descend(module, optimizer, range(2, 3))
    assert weights(module) == before
    assert {float(one["step"]) for one in optimizer.state_dict()["state"].values()} == {2.0}


@pytest.mark.parametrize(
    "other", [nn.Linear(5, 7), nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 2))]
)
def test_the_state_of_another_network_is_refused(other: nn.Module) -> None:
    if isinstance(other, nn.Linear):
        theirs = FusedAdam([{"params": list(other.parameters()), "lr": 1e-3}], eps=EPS)
    else:
        theirs = FusedAdam(groups_of(other), eps=EPS)
        other(torch.ones(1, 5)).sum().backward()
        theirs.step()
    with pytest.raises(ValueError, match="the optimiser's state"):
        FusedAdam(groups_of(network()), eps=EPS).load_state_dict(theirs.state_dict())


def test_listeners_hear_of_every_step_until_they_leave() -> None:
    heard: list[int] = []
    module = network()
    optimizer = FusedAdam(groups_of(module), eps=EPS)
    with told_of_steps(lambda: heard.append(1)):
        descend(module, optimizer, range(3))
        tell_of_step()
    descend(module, optimizer, range(3))
    assert len(heard) == 4


def test_torchs_compiler_is_not_imported_by_learning() -> None:
    program = (
        "import sys, torch; from agents.steps.adam import FusedAdam;"
        "p = torch.nn.Parameter(torch.ones(2));"
        "a = FusedAdam([{'params': [p], 'lr': 0.1}], eps=1e-5); p.sum().backward(); a.step();"
        "print('torch._dynamo' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
