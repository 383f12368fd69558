"""The scale of the bonus against a loop over environments and time in Python's own floats."""

import statistics

import pytest
import torch

from agents.intrinsic.reward_filter import RewardFilter
from agents.ranks import Ranks

T, N, GAMMA = 7, 4, 0.9


def some_bonuses(seed: int = 0, steps: int = T) -> torch.Tensor:
    """Bonuses that differ more between environments than over time."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(steps, N, generator=generator) + 3.0 * torch.arange(N)


def slow_sums(bonuses: torch.Tensor, gamma: float = GAMMA) -> list[list[float]]:
    """Every discounted sum so far, one list for each environment."""
    sums: list[list[float]] = []
    for environment in range(bonuses.shape[1]):
        running, column = 0.0, []
        for bonus in bonuses[:, environment].tolist():
            running = gamma * running + bonus
            column.append(running)
        sums.append(column)
    return sums


def deviation(sums: list[list[float]]) -> float:
    return statistics.pstdev([value for column in sums for value in column])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_the_sums_run_over_time_for_each_environment_alone(ranks: Ranks, gamma: float) -> None:
    """Trap 3, cleanrl 360: a public code walks over environments."""
    bonuses = some_bonuses()
    reward_filter = RewardFilter(N, gamma)
    reward_filter.update(bonuses, ranks)
    sums = slow_sums(bonuses, gamma)
    assert reward_filter.sums.tolist() == pytest.approx([column[-1] for column in sums])
    assert reward_filter.moments.std.item() == pytest.approx(deviation(sums))


def test_the_count_is_that_of_samples(ranks: Ranks) -> None:
    """Trap 3: two public codes pass the number of rows."""
    reward_filter = RewardFilter(N, GAMMA)
    for rollouts in range(1, 4):
        reward_filter.update(some_bonuses(rollouts), ranks)
        assert reward_filter.moments.count.item() == rollouts * T * N


@pytest.mark.parametrize("cuts", [(1,), (3,), (2, 4, 5)])
def test_split_rollouts_equal_one(ranks: Ranks, cuts: tuple[int, ...]) -> None:
    """The sums live on between rollouts, and no sample is counted twice (trap 2)."""
    bonuses = some_bonuses()
    whole, split = RewardFilter(N, GAMMA), RewardFilter(N, GAMMA)
    whole.update(bonuses, ranks)
    for part in bonuses.tensor_split(cuts):
        split.update(part, ranks)
    assert torch.equal(whole.sums, split.sums)
    assert split.moments.count.item() == T * N
    torch.testing.assert_close(split.moments.mean, whole.moments.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(split.moments.std, whole.moments.std, rtol=1e-12, atol=0)


def test_bonuses_are_divided_by_the_deviation_and_nothing_is_subtracted(ranks: Ranks) -> None:
    """Trap 3: a public code overwrites the rewards by their filtered sum."""
    bonuses = some_bonuses()
    given = bonuses.clone()
    reward_filter = RewardFilter(N, GAMMA)
    reward_filter.update(bonuses, ranks)
    scaled = reward_filter.normalize(bonuses)
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled, given / deviation(slow_sums(given)))
    assert torch.equal(bonuses, given)


def test_normalising_learns_nothing(ranks: Ranks) -> None:
    reward_filter = RewardFilter(N, GAMMA)
    reward_filter.update(some_bonuses(), ranks)
    before = {name: buffer.clone() for name, buffer in reward_filter.named_buffers()}
    reward_filter.normalize(some_bonuses(1))
    for name, buffer in reward_filter.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_equal_sums_leave_finite_bonuses(ranks: Ranks) -> None:
    reward_filter = RewardFilter(N, 0.0)
    reward_filter.update(torch.zeros(T, N), ranks)
    assert torch.equal(reward_filter.normalize(torch.zeros(T, N)), torch.zeros(T, N))


@pytest.mark.parametrize("envs", [1, 3, 7])
def test_equal_sums_give_no_scale(ranks: Ranks, envs: int) -> None:
    """The first step of equal environments, or the only one: 0.7 / (0 + 1e-8) would be 7e7."""
    bonuses = torch.full((1, envs), 0.7)
    reward_filter = RewardFilter(envs, GAMMA)
    reward_filter.update(bonuses, ranks)
    assert torch.equal(reward_filter.normalize(bonuses), bonuses)
    reward_filter.update(2 * bonuses, ranks)  # 0.7, then 0.9 * 0.7 + 1.4 = 2.03
    assert reward_filter.normalize(bonuses)[0, 0].item() == pytest.approx(0.7 / 0.665)


def test_the_state_holds_the_moments_and_not_this_ranks_sums() -> None:
    """Trap 9: the sums belong to a rank and are saved with it."""
    names = set(RewardFilter(N, GAMMA).state_dict())
    assert names == {"moments.count", "moments.mean", "moments.m2"}
