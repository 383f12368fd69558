"""A worker's environments without the worker: which values they may hand on."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.workers.environments.registered.foreign_probes import Lamp, OldReset, OldStep
from tests.workers.pool_probes import BASE_SEED, BadProbe, GameProbe, VectorProbe
from workers.environments.base import Batch, BatchStep, Environment
from workers.environments.counting import CountingEnvironment
from workers.shared.protocol import BadTransitionError, WorkerError
from workers.shared.shared_arrays import SharedArrays, allocate, field_table
from workers.stepping.owned_environments import MakeEnvironment, OwnedEnvironments


def build(make: MakeEnvironment) -> tuple[OwnedEnvironments, SharedArrays]:
    """Two environments in one group."""
    owned = OwnedEnvironments((range(2),))
    table = field_table(owned.build(make, lambda row: None, (0, 1)), 2, 1)
    arrays = SharedArrays(allocate(table), table)
    owned.attach(arrays, 0)
    owned.reset(0, 0, (BASE_SEED, BASE_SEED + 1))
    return owned, arrays


class AtOnce(CountingEnvironment):
    """Is stepped at once; the third of a group gives a bad value of a field."""

    def __init__(self, field: str, value: float) -> None:
        super().__init__((9,))
        self._bad = (field, value)

    def together(self, environments: Sequence[Environment]) -> Batch:
        counters, bad = environments, self._bad

        class Counters:
            def load(self, index: int) -> None:
                pass

            def store(self) -> None:
                pass

            def step(self, actions: np.ndarray[Any, Any]) -> BatchStep:
                steps = [each.step(action) for each, action in zip(counters, actions, strict=True)]
                observations, rewards, *ends, _ = map(np.array, zip(*steps, strict=True))
                {"reward": rewards, "observation": observations}[bad[0]][2] = bad[1]
                return BatchStep(observations, rewards, *ends)

        return Counters()


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("reward", float("nan"), "a finite float32 number, found nan"),
        ("reward", -float("inf"), "a finite float32 number, found -inf"),
        ("reward", 1e39, "a finite float32 number, found 1e"),
        ("reward", None, "a finite float32 number, found None"),
        ("reward", "1.5", "a finite float32 number, found '1.5'"),
        ("reward", np.zeros(2), "a finite float32 number, found array"),
        ("terminated", None, "a bool, found None"),
        ("truncated", 0.5, "a bool, found 0.5"),
        ("observation", np.array([0, np.nan, 0], np.float32), r"finite values, found nan at \[1\]"),
        ("observation", np.array([0, 0, np.inf], np.float32), r"finite values, found inf at \[2\]"),
        ("observation", np.zeros(3), r"float32 \[3\], found float64 \[3\]"),
        ("observation", np.zeros((1, 3), np.float32), r"float32 \[3\], found float32 \[1, 3\]"),
        ("observation", [0.0, 0.0, 0.0], "an array, found list"),
    ],
)
def test_a_bad_value_is_refused_and_the_last_step_stays_whole(
    field: str, value: Any, found: str
) -> None:
    owned, arrays = build(lambda: BadProbe(field, value))
    for slot in (1, 0):
        owned.step(0, slot)
    before = arrays.observations[0].copy(), arrays.rewards.copy(), arrays.scores.copy()
    with pytest.raises(BadTransitionError, match=f"environment 1 gave a bad {field}") as caught:
        owned.step(0, 1)
    assert caught.match(found)
    assert owned.activity == "while stepping environment 1"
    assert np.array_equal(arrays.observations[0], before[0])
    assert np.array_equal(arrays.rewards, before[1])
    assert np.array_equal(arrays.scores, before[2])


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("reward", np.nan, "a finite float32 number, found .*nan"),
        ("reward", 1e39, "a finite float32 number, found .*1e"),
        ("observation", np.inf, r"finite values, found inf at \[0\]"),
    ],
)
def test_a_bad_value_of_environments_stepped_at_once_is_refused_too(
    field: str, value: float, found: str
) -> None:
    owned = OwnedEnvironments((range(4),))
    table = field_table(
        owned.build(partial(AtOnce, field, value), lambda row: None, (0,) * 4), 4, 1
    )
    arrays = SharedArrays(allocate(table), table)
    owned.attach(arrays, 0)
    owned.step_together()
    owned.reset(0, 0, (0, 1, 2, 3))
    before = arrays.observations.copy()
    with pytest.raises(BadTransitionError, match=f"environment 2 gave a bad {field}") as caught:
        owned.step(0, 1)
    assert caught.match(found)
    assert owned.activity == "while stepping environment 2"
    assert np.array_equal(arrays.observations, before)
    assert not arrays.rewards.any()
    assert not arrays.scores.any()


@pytest.mark.parametrize("over", [False, True])
def test_what_was_under_way_is_the_step_of_the_environment_whose_reward_is_bad(over: bool) -> None:
    """Rewards are looked at after the last step, and after the resets, of the whole group."""

    class PayingProbe(GameProbe):
        reward = 1.0

        def step(self, action: Any) -> tuple[Any, ...]:
            observation, _, _, truncated, info = super().step(action)
            return observation, self.reward, over, truncated, info

    probes = [PayingProbe(), PayingProbe()]
    probes[0].reward = np.inf
    owned, _ = build(iter(probes).__next__)
    with pytest.raises(BadTransitionError, match="environment 0 gave a bad reward"):
        owned.step(0, 1)
    assert owned.activity == "while stepping environment 0"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Lamp, reward=None), "environment 0 gave a bad reward: wanted one number, found"),
        (partial(Lamp, reward=np.nan), "environment 0 gave a bad reward: .* found nan"),
        (OldStep, "environment 0 gave a bad step: .*found 4 values .*before Gymnasium 0.26"),
        (OldReset, "environment 0 gave a bad reset: .*before Gymnasium 0.26"),
        (partial(Lamp, first=[1]), "environment 0 gave a bad observation: wanted numbers"),
    ],
)
def test_an_answer_of_a_foreign_environment_is_named_with_its_number(
    make: MakeEnvironment, message: str
) -> None:
    with pytest.raises(BadTransitionError, match=message):
        play_on(build(make)[0])


def test_a_game_that_ends_without_a_dict_of_information_is_named() -> None:
    class SilentProbe(GameProbe):
        def step(self, action: Any) -> tuple[Any, ...]:
            return (*super().step(action)[:4], None)

    owned, _ = build(SilentProbe)
    with pytest.raises(BadTransitionError, match="gave a bad info: wanted a dict, found None"):
        play_on(owned)


def play_on(owned: OwnedEnvironments) -> None:
    """Step until a game must have ended."""
    for _ in range(12):
        owned.step(0, 0)


def test_large_but_finite_values_pass() -> None:
    largest = np.full(3, np.finfo(np.float32).max)
    owned, arrays = build(lambda: BadProbe("observation", largest))
    for _ in range(3):
        owned.step(0, 1)
    assert np.array_equal(arrays.observations[1, 1], largest)


def test_environments_of_one_worker_must_not_differ() -> None:
    kinds: list[Environment] = [GameProbe(), VectorProbe()]
    with pytest.raises(WorkerError, match="environments 0 and 1 differ in env_id"):
        OwnedEnvironments((range(1), range(1, 2))).build(
            lambda: kinds.pop(0), lambda row: None, (0, 1)
        )


def test_only_what_differs_is_named_and_long_values_are_cut() -> None:
    four = replace(VectorProbe.environment_spec, observation_high=(9.0,) * 100)
    five = replace(four, num_actions=5, observation_high=(8.0,) * 100)
    told = four.difference(five)
    assert told.startswith(f"num_actions ({four.num_actions} and 5), observation_high ((9.0, ")
    assert len(told) < 200


def test_every_environment_is_closed_even_if_one_of_them_raises() -> None:
    closed = []

    class ClosingProbe(GameProbe):
        def close(self) -> None:
            closed.append(self)
            raise ValueError("stuck")

    owned, _ = build(ClosingProbe)
    with pytest.raises(ExceptionGroup) as caught:
        owned.close()
    assert len(closed) == 2
    assert [str(error) for error in caught.value.exceptions] == ["stuck", "stuck"]
