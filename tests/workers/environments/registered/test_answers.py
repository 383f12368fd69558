"""What a foreign environment answers is read where it can mean one thing only, or named."""

from fractions import Fraction
from typing import Any

import gymnasium
import numpy as np
import pytest

from tests.workers.environments.registered import foreign_probes as foreign
from workers.environments.registered.answers import BadAnswerError, read_vector
from workers.environments.registered.registered import adapted


class Gradient:
    """As torch's tensors are that require a gradient: NumPy may not have it."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def __repr__(self) -> str:
        return "a tensor with a gradient"


def answer(simulator: gymnasium.Env[Any, Any]) -> tuple[Any, ...]:
    """Return what the environment made of it answers to a first step."""
    environment = adapted(simulator)
    environment.reset(seed=0)
    return environment.step(1)


def test_a_choice_arrives_as_the_space_samples_it() -> None:
    assert type(foreign.Lamp.action_space.sample()) is np.int64
    simulator = foreign.Lamp()
    answer(simulator)
    assert type(simulator.last_action) is np.int64
    assert answer(foreign.Itemizer())[1] == 0.5
    simulator.action_space = gymnasium.spaces.Discrete(2, start=5, dtype=np.int32)
    answer(simulator)
    assert type(simulator.last_action) is type(simulator.action_space.sample()) is np.int32
    assert simulator.last_action == 6


@pytest.mark.parametrize(
    "reward",
    [
        2.5,
        np.float32(2.5),
        np.array(2.5),
        np.array([2.5]),
        np.array([[2.5]]),
        [2.5],
        Fraction(5, 2),
    ],
)
def test_one_number_is_a_reward_whatever_it_stands_in(reward: Any) -> None:
    found = answer(foreign.Lamp(reward=reward))[1]
    assert type(found) is float
    assert found == 2.5


@pytest.mark.parametrize("reward", [3, True, np.int8(3), np.array([True])])
def test_whole_numbers_and_truths_are_rewards(reward: Any) -> None:
    assert answer(foreign.Lamp(reward=reward))[1] == float(np.ravel(reward)[0])


@pytest.mark.parametrize("flag", [True, 1, np.True_, np.int64(1), np.array([True]), np.array(1)])
def test_a_flag_is_a_truth_or_one_or_zero(flag: Any) -> None:
    assert answer(foreign.Lamp(terminated=flag))[2] is True
    assert answer(foreign.Lamp(truncated=flag))[3] is True


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"reward": None}, "bad reward: wanted one number, found None"),
        ({"reward": "1"}, "bad reward: wanted one number, found '1'"),
        ({"reward": np.zeros(3)}, r"bad reward: wanted one number, found float64 \[3\]"),
        ({"reward": [[1], [2, 3]]}, "bad reward: wanted one number, found"),
        ({"reward": Gradient()}, "bad reward: wanted one number, found a tensor with a gradient"),
        ({"observation": Gradient()}, r"bad observation: wanted numbers \[2\], found a tensor"),
        ({"reward": 1j}, "bad reward: wanted one number, found 1j"),
        ({"terminated": None}, "bad terminated: wanted a bool, found None"),
        ({"terminated": 2}, "bad terminated: wanted a bool, found 2"),
        ({"truncated": 0.0}, "bad truncated: wanted a bool, found 0.0"),
        ({"truncated": "no"}, "bad truncated: wanted a bool, found 'no'"),
        ({"truncated": np.array([True, False])}, r"bad truncated: .* found bool \[2\]"),
        ({"info": None}, "bad info: wanted a dict, found None"),
        ({"observation": None}, r"bad observation: wanted numbers \[2\], found None"),
        ({"observation": "on"}, r"bad observation: wanted numbers \[2\], found 'on'"),
        ({"observation": [[1.0], 2.0]}, r"bad observation: wanted numbers \[2\], found \[\[1"),
        ({"observation": np.zeros(3)}, r"wanted numbers \[2\], found float64 \[3\]"),
        ({"observation": np.zeros((2, 1))}, r"wanted numbers \[2\], found float64 \[2, 1\]"),
        ({"first": np.zeros(1)}, r"wanted numbers \[2\], found float64 \[1\]"),
    ],
)
def test_what_is_of_the_wrong_form_is_named(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(BadAnswerError, match=message):
        answer(foreign.Lamp(**answers))


@pytest.mark.parametrize("observation", [[0.25, 1], (0, 1), np.array([0, 1]), np.array([0.25, 1])])
def test_numbers_of_another_kind_become_float32(observation: Any) -> None:
    found = answer(foreign.Lamp(observation=observation))[0]
    assert found.dtype == np.float32
    assert found.tolist() == list(observation)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("observation", [3, np.uint8(3), [3], np.array([[3.0]])])
def test_one_number_is_read_whatever_it_stands_in(observation: Any, shape: tuple[int, ...]) -> None:
    assert read_vector(observation, shape).tolist() == [3.0]


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint16, np.int8])
def test_whole_numbers_of_another_size_are_an_image_as_long_as_each_is_a_byte(kind: type) -> None:
    limits = np.iinfo(kind)
    image: Any = np.arange(6000).reshape(40, 50, 3) % min(256, int(limits.max) + 1)
    wanted = answer(foreign.Screen(observation=image.astype(np.uint8)))[0]
    assert np.array_equal(answer(foreign.Screen(observation=image.astype(kind)))[0], wanted)
    for value in (limits.min, limits.max):
        if not 0 <= value <= 255:
            image[0, 0, 0] = value
            found = rf"found {kind.__name__} \[40, 50, 3\] from {min(value, 0)} to "
            with pytest.raises(BadAnswerError, match=rf"wanted uint8 \[40, 50, 3\], {found}"):
                answer(foreign.Screen(observation=image.astype(kind)))


@pytest.mark.parametrize("kind", [np.float64, np.bool_])
def test_an_image_must_be_of_the_type_that_its_space_states(kind: type) -> None:
    image: Any = np.ones((40, 50, 3), kind)
    with pytest.raises(BadAnswerError, match=rf"uint8 \[40, 50, 3\], found {image.dtype}"):
        answer(foreign.Screen(observation=image))


def test_an_image_whose_size_changes_is_named() -> None:
    image = np.ones((40, 51, 3), np.uint8)
    with pytest.raises(BadAnswerError, match=r"wanted uint8 \[40, 50, 3\], found uint8 \[40, 51"):
        answer(foreign.Screen(observation=image))


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        (foreign.OldReset, "bad reset: .*OldReset.reset.* 'seed'.*before Gymnasium 0.26"),
        (foreign.OldAnswers, r"bad reset: .*returns float32 \[2\]: .*before Gymnasium 0.26"),
        (foreign.OldStep, "bad step: .*found 4 values .*before Gymnasium 0.26.*extending.md"),
    ],
)
def test_the_interface_before_gymnasium_0_26_is_recognised(
    simulator: type[foreign.Lamp], message: str
) -> None:
    with pytest.raises(BadAnswerError, match=message):
        answer(simulator())


def test_a_reset_that_takes_a_seed_alone_is_not_called_old() -> None:
    class SeedAlone(foreign.Lamp):
        def reset(self, seed: int | None = None) -> Any:  # type: ignore[override]
            return super().reset(seed=seed)

    with pytest.raises(BadAnswerError, match=r"'options'.*: let it take options=None as well$"):
        answer(SeedAlone())


def test_a_type_error_of_the_environment_itself_is_its_own() -> None:
    with pytest.raises(TypeError, match="has no len"):
        answer(foreign.Confused())
