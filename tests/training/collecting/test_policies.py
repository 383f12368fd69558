"""What the policies that need no network draw."""

import numpy as np

from training.collecting.policies import TIME_STEP, BrownianPolicy
from workers.environments.base import EnvironmentSpec

NOTHING = np.zeros(1, np.float32)
WIDE = 1e6  # bounds that no step of these reaches


def brownian(size: int = 1) -> BrownianPolicy:
    low, high = (-WIDE,) * size, (WIDE,) * size
    spec = EnvironmentSpec(
        "Made-v0", (1,), "float32", False, size, action_low=low, action_high=high
    )
    return BrownianPolicy(spec)


def test_the_first_step_of_a_brownian_motion_tells_nothing_of_where_it_begins() -> None:
    policy, begins, steps = brownian(), [], []
    for seed in range(3000):
        policy.reset(seed)
        first, second = (float(policy.act(NOTHING)[0]) / WIDE for _ in range(2))
        begins.append((first + 1) / 2)
        steps.append(second - first)
    begun, moved = np.array(begins), np.array(steps)
    inside = np.abs(begun - 0.5) < 0.2  # where nothing is clipped
    begun, moved = begun[inside], moved[inside]
    digits = [begun * 2**bits % 1 for bits in range(9)]  # a normal is made of other bits of a draw
    told = [np.corrcoef(np.abs(moved), digit)[0, 1] for digit in digits]
    assert np.abs(told).max() < 0.12  # 0.03 is the deviation of no correlation at all
    assert abs(moved.std() / np.sqrt(TIME_STEP) - 1) < 0.1


def test_a_brownian_motion_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    policy = brownian(3)

    def played(seed: int) -> list[list[float]]:
        policy.reset(seed)
        return [policy.act(NOTHING).tolist() for _ in range(5)]

    assert played(1) == played(1)
    assert played(1) != played(2)
