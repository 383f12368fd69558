"""Advantages and reward sums against the papers' definitions, written out in plain Python."""

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.returns import forward_discounted_sums, generalized_advantages

T, N = 13, 4


def random_rollout(seed: int) -> dict[str, Tensor]:
    """Random rewards and values in float64, with ends of both kinds."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values, next_values = torch.randn(3, T, N, dtype=torch.float64, generator=generator)
    terminated = torch.rand(T, N, generator=generator) < 0.2
    truncated = (torch.rand(T, N, generator=generator) < 0.2) & ~terminated
    return {
        "rewards": rewards,
        "values": values,
        "next_values": next_values,
        "terminated": terminated,
        "truncated": truncated,
    }


def slow_advantages(rollout: dict[str, Tensor], gamma: float, lam: float) -> Tensor:
    """arXiv 1506.02438 (16): the sum of (gamma lam)^l delta_{t+l}, up to an episode's end."""
    result = torch.zeros(T, N, dtype=torch.float64)
    for n in range(N):
        for t in range(T):
            total, weight = 0.0, 1.0
            for step in range(t, T):
                alive = 0.0 if rollout["terminated"][step, n] else 1.0
                bootstrap = gamma * alive * float(rollout["next_values"][step, n])
                delta = float(rollout["rewards"][step, n]) + bootstrap
                total += weight * (delta - float(rollout["values"][step, n]))
                if rollout["terminated"][step, n] or rollout["truncated"][step, n]:
                    break
                weight *= gamma * lam
            result[t, n] = total
    return result


def advantages_of(rollout: dict[str, Tensor], gamma: float, lam: float) -> Tensor:
    terminated = rollout["terminated"].double()
    done = (rollout["terminated"] | rollout["truncated"]).double()
    return generalized_advantages(
        rollout["rewards"],
        rollout["values"],
        rollout["next_values"],
        gamma * (1 - terminated),
        lam * (1 - done),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("gamma", "lam"), [(0.999, 0.95), (0.9, 0.0), (1.0, 1.0)])
def test_advantages_equal_the_sum_of_discounted_residuals(
    seed: int, gamma: float, lam: float
) -> None:
    rollout = random_rollout(seed)
    torch.testing.assert_close(
        advantages_of(rollout, gamma, lam), slow_advantages(rollout, gamma, lam)
    )


def test_lambda_one_gives_the_discounted_return_minus_the_value() -> None:
    rollout = random_rollout(0)
    gamma = 0.9
    values = rollout["values"]
    next_values = torch.cat([values[1:], rollout["next_values"][-1:]])
    constant = torch.ones(T, N, dtype=torch.float64)
    advantages = generalized_advantages(
        rollout["rewards"], values, next_values, gamma * constant, constant
    )
    for t in range(T):
        powers = gamma ** torch.arange(T - t, dtype=torch.float64)
        returns = (powers[:, None] * rollout["rewards"][t:]).sum(dim=0)
        returns = returns + gamma ** (T - t) * next_values[-1]
        torch.testing.assert_close(advantages[t], returns - values[t])


def test_a_stream_that_is_never_cut_does_not_see_the_episode_ends() -> None:
    rollout = random_rollout(1)
    never = torch.zeros(T, N, dtype=torch.bool)
    constant = torch.ones(T, N, dtype=torch.float64)
    advantages = generalized_advantages(
        rollout["rewards"],
        rollout["values"],
        rollout["next_values"],
        0.99 * constant,
        0.95 * constant,
    )
    uncut = rollout | {"terminated": never, "truncated": never}
    torch.testing.assert_close(advantages, slow_advantages(uncut, 0.99, 0.95))


def test_nothing_flows_back_over_an_end_and_only_a_truncation_bootstraps() -> None:
    rollout = random_rollout(2)
    rollout["terminated"][:] = False
    rollout["truncated"][:] = False
    rollout["terminated"][5, 0] = True
    rollout["truncated"][5, 1] = True
    before = advantages_of(rollout, 0.99, 0.95)
    rollout["rewards"][6:] += 100.0
    rollout["next_values"][5] += 10.0
    change = advantages_of(rollout, 0.99, 0.95)[:6] - before[:6]
    assert change[:, 0].abs().max() == 0.0
    torch.testing.assert_close(change[5, 1].item(), 0.99 * 10.0)
    assert (change[:, 2:] > 100.0 * 0.5).all()


def test_environments_do_not_mix() -> None:
    rollout = random_rollout(3)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = {name: tensor[:, order] for name, tensor in rollout.items()}
    assert torch.equal(
        advantages_of(shuffled, 0.99, 0.95), advantages_of(rollout, 0.99, 0.95)[:, order]
    )


def test_advantages_refuse_values_that_would_broadcast() -> None:
    checked = jaxtyped(typechecker=beartype)(generalized_advantages)
    full = torch.zeros(T, N)
    with pytest.raises(TypeCheckError):
        checked(full, full[:, :1], full, full, full)


def slow_forward_sums(rewards: Tensor, start: Tensor, gamma: float) -> Tensor:
    """One filter per environment, stepped once per time step (`RewardForwardFilter`)."""
    result = torch.zeros(T, N, dtype=torch.float64)
    for n in range(N):
        running = float(start[n])
        for t in range(T):
            running = running * gamma + float(rewards[t, n])
            result[t, n] = running
    return result


def test_forward_sums_walk_over_time_and_not_over_environments() -> None:
    rewards = random_rollout(4)["rewards"]
    start = torch.arange(N, dtype=torch.float64)
    torch.testing.assert_close(
        forward_discounted_sums(rewards, start, 0.99), slow_forward_sums(rewards, start, 0.99)
    )


def test_forward_sums_of_two_chunks_equal_those_of_one_pass() -> None:
    rewards = random_rollout(5)["rewards"]
    start = torch.zeros(N, dtype=torch.float64)
    whole = forward_discounted_sums(rewards, start, 0.99)
    first = forward_discounted_sums(rewards[:5], start, 0.99)
    second = forward_discounted_sums(rewards[5:], first[-1], 0.99)
    assert torch.equal(torch.cat([first, second]), whole)


def test_forward_sums_are_kept_in_the_wider_type() -> None:
    sums = forward_discounted_sums(torch.ones(T, N), torch.zeros(N, dtype=torch.float64), 0.99)
    assert sums.dtype == torch.float64


def test_forward_sums_refuse_one_start_for_all_environments() -> None:
    checked = jaxtyped(typechecker=beartype)(forward_discounted_sums)
    with pytest.raises(TypeCheckError):
        checked(torch.zeros(T, N), torch.zeros(1), 0.99)
