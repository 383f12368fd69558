"""What is an image, what looks like several, and how each is seen."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.parts.preprocessing import grey_frame
from workers.environments.registered.images import as_bytes, is_image, is_stack
from workers.environments.registered.registered import RegisteredEnvironment

RGB = np.random.default_rng(0).integers(0, 256, (48, 40, 3)).astype(np.uint8)


class Shows(gymnasium.Env[Any, Any]):
    """Shows one and the same observation."""

    def __init__(self, space: spaces.Box, shown: Any) -> None:
        self.observation_space, self.shown = space, shown
        self.action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.shown, {}


gymnasium.register(id="ScoutShows-v0", entry_point=f"{__name__}:Shows", disable_env_checker=True)


def box(shape: tuple[int, ...], dtype: Any = np.uint8, high: float = 255) -> spaces.Box:
    return spaces.Box(0, high, shape, dtype)


def seen_by(
    monkeypatch: pytest.MonkeyPatch, space: spaces.Box, sight: Any, shown: Any = None
) -> RegisteredEnvironment:
    """Build an environment of that space."""
    registered = gymnasium.spec("ScoutShows-v0")
    monkeypatch.setitem(registered.kwargs, "space", space)
    monkeypatch.setitem(registered.kwargs, "shown", shown)
    section = EnvironmentSection(
        env_type="gymnasium",
        env_id="ScoutShows-v0",
        observation_type=sight,
        max_episode_steps="auto",
        frame_height=48,
        frame_width=40,
    )
    return RegisteredEnvironment(section)


@pytest.mark.parametrize(
    ("space", "image", "stack"),
    [
        (box((48, 40)), True, False),
        (box((48, 40, 3)), True, False),
        (box((3, 48, 40)), True, False),
        (box((48, 40, 4)), True, False),
        (box((48, 40, 3), np.float32, 1), True, False),
        (box((1, 48, 40), np.float64, 255), True, False),
        (box((48, 40), np.float32, 1), True, False),
        (box((48, 40, 4), np.float32, 1), True, False),
        (box((48, 40, 3), np.int64), True, False),
        (box((4, 48, 40), np.int32), False, True),
        (box((8, 8, 3), np.int64), False, False),
        (box((4, 48, 40)), False, True),
        (box((48, 40, 2)), False, True),
        (box((48, 40, 12)), False, True),
        (box((4, 48, 40), np.float32, 1), False, True),
        (box((4, 48, 40, 3)), False, True),
        (box((8, 8, 4)), False, False),
        (box((8, 8, 3), np.float32, 1), False, False),
        (box((48, 40, 3), np.float32, 7), False, False),
        (box((48, 40, 99)), False, False),
        (box((0,), np.float32), False, False),
        (box((6,), np.float32, 1), False, False),
        (spaces.Box(-1, 1, (48, 40, 3), np.float32), False, False),
    ],
    ids=str,
)
def test_images_are_told_from_stacks_and_tables(
    space: spaces.Box, image: bool, stack: bool
) -> None:
    assert (is_image(space), is_stack(space)) == (image, stack)


@pytest.mark.parametrize(
    ("space", "shown"),
    [
        (box((48, 40, 4)), np.dstack([RGB, 255 - RGB[..., 0]])),
        (box((48, 40, 3), np.float32, 1), (RGB / 255).astype(np.float32)),
        (box((48, 40, 4), np.float64, 1), np.dstack([RGB, RGB[..., 0]]) / 255),
        (box((3, 48, 40), np.float32, 255), np.moveaxis(RGB, -1, 0).astype(np.float32)),
        (box((48, 40, 3)), RGB),
        (box((48, 40, 3)), RGB.astype(np.int64)),
        (box((48, 40, 3), np.int64), RGB.astype(np.int32)),
        (box((48, 40, 3), np.int64), RGB),
    ],
    ids=str,
)
def test_every_kind_of_image_is_seen_as_the_same_grey_frame(
    monkeypatch: pytest.MonkeyPatch, space: spaces.Box, shown: Any
) -> None:
    environment = seen_by(monkeypatch, space, "pixels", shown)
    frame, _ = environment.reset(seed=0)
    assert (frame == grey_frame(RGB, 48, 40)).all()


def test_a_float_beyond_its_space_is_the_brightest_there_is() -> None:
    space = box((32, 32), np.float32, 1)
    assert as_bytes(np.full((32, 32), 1.7, np.float32), space).max() == 255


@pytest.mark.parametrize(
    ("space", "sight", "words"),
    [
        (box((48, 40, 3), np.float32, 1), "auto", r"pixels, or ObservationType = state"),
        (box((48, 40, 4)), "auto", r"pixels, or .*if these are 4 frames"),
        (box((4, 48, 40)), "auto", r"looks like several frames.*StateStackSize"),
        (box((4, 48, 40)), "pixels", r"looks like several frames.*StateStackSize"),
        (box((48, 40, 9)), "pixels", r"looks like several frames.*StateStackSize"),
        (box((48, 40, 99)), "pixels", r"is no image"),
        (box((48, 40, 3)), "state", r"set ObservationType = pixels"),
        (box((7, 7, 3)), "auto", r"pixels, or ObservationType = state"),
    ],
    ids=str,
)
def test_what_is_no_vector_or_no_image_is_refused_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, space: spaces.Box, sight: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        seen_by(monkeypatch, space, sight)


@pytest.mark.parametrize(
    "space",
    [
        box((48, 40, 4)),
        box((4, 48, 40)),
        box((32, 32, 3), np.float32, 1),
        box((7, 7, 3)),  # codes of MiniGrid's cells
        box((8, 8)),  # a board
    ],
    ids=str,
)
def test_whoever_says_state_gets_the_numbers_as_a_vector(
    monkeypatch: pytest.MonkeyPatch, space: spaces.Box
) -> None:
    environment = seen_by(monkeypatch, space, "state", space.high)
    assert environment.reset(seed=0)[0].shape == (np.prod(space.shape),)


def test_four_channels_are_noted_because_they_may_be_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (note,) = seen_by(monkeypatch, box((84, 84, 4)), "pixels").environment_spec.notes
    assert "if these are 4 frames" in note
    assert seen_by(monkeypatch, box((84, 84, 3)), "pixels").environment_spec.notes == ()
