"""The losses of TD3 against loops written from the paper (arXiv 1802.09477, algorithm 1)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from agents.losses.td3 import (
    actor_loss,
    clipped_double_q_target,
    critic_loss,
    smoothed_actions,
)

B, A = 7, 3


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_smoothed_actions_are_those_of_the_paper_number_by_number() -> None:
    actions, noise = torch.tanh(draws(B, A)), draws(B, A, seed=1)
    found = smoothed_actions(actions, noise, 0.4, 0.5)
    for b in range(B):
        for a in range(A):
            cut = min(max(0.4 * float(noise[b, a]), -0.5), 0.5)
            wanted = min(max(float(actions[b, a]) + cut, -1.0), 1.0)
            assert float(found[b, a]) == pytest.approx(wanted, abs=1e-6)


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_smoothed_actions_stay_within_reach(deviation: float, limit: float) -> None:
    actions = torch.tanh(draws(B, A))
    found = smoothed_actions(actions, draws(B, A, seed=1), deviation, limit)
    assert float(found.abs().max()) <= 1.0
    assert float((found - actions).abs().max()) <= limit + 1e-6


def test_the_target_takes_the_smaller_value_and_ends_with_the_episode() -> None:
    rewards, values = draws(B), draws(2, B, seed=1)
    continues = torch.tensor([1.0, 0.0] * 4)[:B]
    found = clipped_double_q_target(rewards, continues, values, 0.9)
    for b in range(B):
        smaller = min(float(values[0, b]), float(values[1, b]))
        following = 0.9 * smaller if continues[b] == 1.0 else 0.0
        assert float(found[b]) == pytest.approx(float(rewards[b]) + following, abs=1e-6)


def test_the_critics_loss_and_its_gradient_are_those_of_two_separate_regressions() -> None:
    values, targets = draws(2, B).requires_grad_(), draws(B, seed=1)
    loss = critic_loss(values, targets)
    loss.backward()
    wanted = sum(
        (float(values[i, b].detach()) - float(targets[b])) ** 2 / B
        for i in range(2)
        for b in range(B)
    )
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    assert values.grad is not None
    torch.testing.assert_close(values.grad, 2.0 * (values.detach() - targets) / B)


def test_the_actor_climbs_the_first_critics_mean_value() -> None:
    values = draws(B).requires_grad_()
    actor_loss(values).backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.full((B,), -1.0 / B))


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(Exception, match="values"):
        critic_loss(draws(2, B), draws(B, 1))
