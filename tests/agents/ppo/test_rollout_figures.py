"""What is told of a rollout, against sums; over ranks: tests/distributed/test_updates.py."""

from dataclasses import replace

import pytest
import torch

from agents.ppo.rollout_figures import figures_of
from agents.ppo.targets import Targets
from agents.ranks import Ranks
from tests.agents.scripts import draw_script
from tests.agents.small import DISCOUNTING, VECTOR, Kind, filled

T, N = 7, 4


@pytest.mark.parametrize("has_bonus", [True, False])
def test_what_is_watched_are_means_and_deviations_over_the_rollout(
    ranks: Ranks, has_bonus: bool
) -> None:
    shape = Kind(VECTOR).rollout_shape(T, N)
    rollout = filled(draw_script(shape, 0), shape)
    drawn = torch.randn(3, T * N, generator=torch.Generator().manual_seed(1))
    targets = Targets(*drawn)
    scaled = replace(DISCOUNTING, gamma=0.9, reward_scale=0.5)
    rollout.bonuses.copy_(torch.rand(T, N, generator=torch.Generator().manual_seed(2)))
    found = figures_of(rollout, targets, scaled, ranks, has_bonus=has_bonus)
    wanted = {
        "extrinsic": rollout.values_extrinsic,
        "return": targets.returns_extrinsic,
        "advantage": targets.advantages,
        **({"intrinsic": rollout.values_intrinsic} if has_bonus else {}),
    }
    rewards = [0.5 * float(reward) for reward in rollout.rewards.flatten()]
    paid_for_ever = sum(rewards) / len(rewards) / (1 - 0.9)
    assert float(found.pop("values/return_paid")) == pytest.approx(paid_for_ever, rel=1e-5)
    assert float(found.pop("values/reward_lowest")) == pytest.approx(min(rewards))
    left = targets.returns_extrinsic - rollout.values_extrinsic.flatten()
    explained = 1 - left.double().var() / targets.returns_extrinsic.double().var()
    assert float(found.pop("losses/explained_variance")) == pytest.approx(float(explained))
    if has_bonus:
        assert float(found.pop("intrinsic/max")) == float(rollout.bonuses.max())
    assert len(found) == 2 * len(wanted)
    for name, values in wanted.items():
        numbers = [float(value) for value in values.flatten()]
        mean = sum(numbers) / len(numbers)
        spread = (sum((number - mean) ** 2 for number in numbers) / len(numbers)) ** 0.5
        assert float(found[f"values/{name}_mean"]) == pytest.approx(mean, abs=1e-6)
        assert float(found[f"values/{name}_std"]) == pytest.approx(spread, rel=1e-5)


def test_without_a_discount_nothing_is_said_of_what_is_paid_for_ever(ranks: Ranks) -> None:
    shape = Kind(VECTOR).rollout_shape(T, N)
    rollout = filled(draw_script(shape, 0), shape)
    targets = Targets(*torch.zeros(3, T * N))
    endless = replace(DISCOUNTING, gamma=1.0)
    found = figures_of(rollout, targets, endless, ranks, has_bonus=False)
    assert "values/return_paid" not in found
