"""Continuous actions reach the bounds that an environment states, whatever units they are in."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from configs.schema import EnvironmentSection
from workers.environments.make import make_environment
from workers.environments.parts.actions import (
    AS_IT_IS,
    ActionMapping,
    action_map,
    output_bounds,
    policy_space,
)
from workers.environments.parts.spaces import legal_action, spec_of

LARGEST = float(np.finfo(np.float32).max)


def box(low: list[float], high: list[float], dtype: Any = np.float64) -> spaces.Box:
    return spaces.Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)


def acted(space: spaces.Box, output: float, mapping: ActionMapping = "bounds") -> list[float]:
    """Return what an output that is the same in all dimensions makes of a space's action."""
    outputs = np.full(space.shape, output, np.float32).ravel()
    action: list[float] = legal_action(space, outputs, action_map(space, mapping)).tolist()
    return action


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-2.0, 2.0, [-2.0, -1.0, 0.0, 2.0, 2.0]),
        (10.0, 20.0, [10.0, 12.5, 15.0, 20.0, 20.0]),
        (0.0, 0.5, [0.0, 0.125, 0.25, 0.5, 0.5]),
        (-3e6, 5e6, [-3e6, -1e6, 1e6, 5e6, 5e6]),
        (7.0, np.inf, [7.0, 7.5, 8.0, 9.0, 13.0]),
        (7.0, LARGEST, [7.0, 7.5, 8.0, 9.0, 13.0]),
        (-np.inf, -7.0, [-9.0, -8.5, -8.0, -7.0, -7.0]),
        (-np.inf, np.inf, [-1.0, -0.5, 0.0, 1.0, 5.0]),
        (-LARGEST, LARGEST, [-1.0, -0.5, 0.0, 1.0, 5.0]),
        (4.0, 4.0, [4.0, 4.0, 4.0, 4.0, 4.0]),
    ],
)
def test_outputs_from_minus_one_to_one_span_the_stated_bounds(
    low: float, high: float, expected: list[float]
) -> None:
    space = box([low], [high])
    assert [acted(space, output)[0] for output in (-1.0, -0.5, 0.0, 1.0, 5.0)] == expected


def test_each_dimension_has_bounds_of_its_own() -> None:
    space = box([10.0, -np.inf, 0.0, -np.inf], [20.0, np.inf, np.inf, 6.0])
    assert acted(space, 0.5) == [17.5, 0.5, 1.5, 5.5]
    assert acted(space, -9.0) == [10.0, -9.0, 0.0, -4.0]


def test_shape_and_type_are_those_of_the_space_and_no_rounding_leaves_it() -> None:
    space = spaces.Box(np.float32(0.1), np.float32(0.3), (2, 3), np.float32)
    reach = action_map(space, "bounds")
    for output in (-1.0, -0.3, 0.99999, 1.0, 1e30):
        action = legal_action(space, np.full(6, output, np.float32), reach)
        assert space.contains(action), action


def test_clip_leaves_an_output_as_it_is_within_the_bounds() -> None:
    space = box([10.0, -0.25, 0.0], [20.0, 0.25, np.inf])
    assert acted(space, 0.5, "clip") == [10.0, 0.25, 0.5]
    assert acted(space, -0.125, "clip") == [10.0, -0.125, 0.0]


def test_actions_between_minus_one_and_one_mean_what_they_meant_to_the_last_bit() -> None:
    space = spaces.Box(-1.0, 1.0, (4,), np.float32)
    outputs = 2 * np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    for output in outputs:
        new, old = (legal_action(space, output, action_map(space, m)) for m in ("bounds", "clip"))
        assert new.tobytes() == old.tobytes() == np.clip(output, -1, 1).tobytes()


def test_the_spec_tells_the_map_and_the_outputs_that_stand_for_the_bounds() -> None:
    space = box([10.0, -LARGEST, 0.0], [20.0, LARGEST, np.inf], np.float32)
    sight = spaces.Box(-1.0, 1.0, (2,), np.float32)
    spec = spec_of("x", sight, space, can_snapshot=False, reach=action_map(space, "auto"))
    assert (spec.action_offset, spec.action_scale) == ((15.0, 0.0, 1.0), (5.0, 1.0, 1.0))
    assert output_bounds(spec) == ((-1.0, -np.inf, -1.0), (1.0, np.inf, np.inf))
    former = spec_of("x", sight, space, can_snapshot=False)
    assert output_bounds(former) == ((10.0, -np.inf, 0.0), (20.0, np.inf, np.inf))
    outputs = policy_space(space, action_map(space, "auto"))
    assert outputs.low[[0, 2]].tolist() == [-1.0, -1.0]
    assert outputs.high[[0, 2]].tolist() == [1.0, np.inf]


def test_choices_have_no_map() -> None:
    assert action_map(spaces.Discrete(3), "bounds") is AS_IT_IS


@pytest.mark.parametrize(("env_type"), ["classic_control", "gymnasium"])
@pytest.mark.parametrize(
    ("mapping", "output", "torque"), [("auto", 0.75, 1.5), ("bounds", 3.0, 2.0), ("clip", 1.5, 1.5)]
)
def test_both_families_lay_the_same_torque_on_a_pendulum(
    env_type: Any, mapping: Any, output: float, torque: float
) -> None:
    section = EnvironmentSection(
        env_type=env_type, env_id="Pendulum-v1", action_mapping=mapping, max_episode_steps="auto"
    )
    environment = make_environment(section)
    environment.reset(seed=0)
    environment.step(np.array([output], np.float32))
    name = "simulator" if env_type == "classic_control" else "_simulator"
    simulator: Any = getattr(environment, name)
    assert simulator.unwrapped.last_u == pytest.approx(torque)
    limit = 2.0 if mapping == "clip" else 1.0
    assert environment.action_space.high.tolist() == [limit]  # type: ignore[attr-defined]
    environment.close()
