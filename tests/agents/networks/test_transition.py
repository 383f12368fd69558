"""What follows a state, as a change of it."""

import torch

from agents.networks.transition import ResidualTransition


def test_the_change_is_added_and_starts_near_nothing() -> None:
    transition = ResidualTransition(3, 2, (16, 16))
    states, actions = torch.randn(50, 3), torch.randn(50, 2)
    following = transition(states, actions)
    change = transition.change(torch.cat([states, actions], dim=1))
    assert torch.equal(following, states + change)
    assert 0 < change.abs().max() < 0.2


def test_the_action_matters() -> None:
    transition = ResidualTransition(3, 2, (16, 16))
    one, other = (transition(torch.zeros(4, 3), sign * torch.ones(4, 2)) for sign in (1.0, -1.0))
    assert (one != other).any(dim=1).all()


def test_bfloat16_leaves_the_state_that_is_added_to_as_it_is() -> None:
    transition = ResidualTransition(3, 2, (16, 16))
    torch.nn.init.zeros_(dict(transition.named_parameters())["change.1.weight"])
    states = 100.0 + torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(transition(states, torch.ones(4, 2)), states)
