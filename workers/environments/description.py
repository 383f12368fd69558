"""An environment in plain words and values, for those who play a policy without Scout.

What stands here is what the environments of this folder do; the tests of exports play by it alone.
"""

# ruff: noqa: PLC0415 - simulators are imported only where one of theirs is described

import importlib
import math
from collections.abc import Mapping
from typing import Any

from configs.schema import EnvironmentSection

Facts = dict[str, Any]
"""What JSON can hold."""

ACTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "CartPole": ("push left", "push right"),
    "MountainCar": ("accelerate left", "do not accelerate", "accelerate right"),
    "Acrobot": ("torque -1", "torque 0", "torque +1"),
    "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
    "CarRacing": ("nothing", "right", "left", "gas", "brake"),
}
DRAWN = ("classic_control", "box2d", "mujoco")  # families whose frames are drawn by render()
BYTES = {"dtype": "uint8", "range": [0, 255], "scaling": "none: the policy divides by 255 itself"}
VECTORS = {"kind": "vector", "dtype": "float32", "scaling": "none: as the simulator gives them"}
OPENCV_GREY = "OpenCV's COLOR_RGB2GRAY: 0.299 R + 0.587 G + 0.114 B"
AREA = "one cv2.resize to the frame's size with cv2.INTER_AREA"


def describe_environment(section: EnvironmentSection) -> Facts:
    """Return what is simulated, what is seen, how a step and an episode go, and the actions' names.

    Returns:
        JSON's own types: simulator, observation, step, sticky_actions (null = none), start,
        episode, action_names (null = not known here), action_values (the simulator's numbers of
        them, where they are not counted from 0), and differences (from gymnasium's wrappers).

    Raises:
        ConfigurationError: an Atari game whose emulator is not installed.
    """
    match section.env_type:
        case "atari":
            return _atari(section)
        case "mario":
            return _mario(section)
        case "minigrid":
            return _minigrid(section)
    return _registered(section)


def _atari(section: EnvironmentSection) -> Facts:
    from workers.environments.atari.atari import MAX_FRAMES_PER_EPISODE
    from workers.environments.atari.games import atari_games, load_ale_py, rom_of

    ale_py, rom = load_ale_py(), rom_of(section.env_id)
    emulator = ale_py.ALEInterface()
    emulator.loadROM(ale_py.roms.get_rom_path(rom))
    name = next(name for name, its_rom in atari_games().items() if its_rom == rom)
    return {
        "simulator": {
            "packages": ["gymnasium", "ale-py"],
            "gymnasium_id": f"ALE/{name}-v5",
            "options": {
                "frameskip": 1,
                "repeat_action_probability": 0.0,
                "full_action_space": False,
                "max_num_frames_per_episode": None,
            },
        },
        "observation": _frames(section, "the emulator's own (ALEInterface.getScreenGrayscale)"),
        "step": _skipped(section),
        "sticky_actions": _sticky(section, "NOOP"),
        "start": _start("reset(seed) loads the ROM anew; the emulator itself draws nothing"),
        "episode": _episode_of_frames(section, MAX_FRAMES_PER_EPISODE),
        "action_names": [action.name for action in emulator.getMinimalActionSet()],
        "differences": [
            "AtariPreprocessing plays 1 to 30 no-ops at a start unless noop_max is 0.",
            "Where a game ends within a step, AtariPreprocessing shows the frame of the step "
            "before; here it is the last raw frame. No action follows it.",
            "StickyAction repeats nothing before its first action and draws from a generator of "
            "its own; the emulator's repeat_action_probability has other random numbers.",
        ],
    }


def _mario(section: EnvironmentSection) -> Facts:
    from workers.environments.mario.mario import MAX_FRAMES_PER_EPISODE

    return {
        "simulator": {
            "packages": ["gym-super-mario-bros", "nes-py"],
            "gymnasium_id": None,
            "in_words": f"{section.env_id} of gym-super-mario-bros, one raw frame at a time, its "
            "start screen and the screens between lives skipped; reward dx + dt - 25 at a death, "
            "clipped to -15 and 15 in each raw frame, as in version 7 of the package",
        },
        "observation": _frames(section, OPENCV_GREY),
        "step": _skipped(section),
        "sticky_actions": _sticky(section, "NOOP"),
        "start": _start("without sticky actions a fixed stage is the same whatever the seed"),
        "episode": _episode_of_frames(section, MAX_FRAMES_PER_EPISODE),
        "action_names": ["NOOP", "right", "right A", "right B", "right A B", "A", "left"],
        "differences": [],
    }


def _minigrid(section: EnvironmentSection) -> Facts:
    from workers.environments.minigrid.minigrid import ACTIONS, AGENT_GREY, GREYS, NOISE_GREYS

    noise = section.nuisance == "noise"
    cap = section.max_episode_steps
    return {
        "simulator": {
            "packages": ["gymnasium", "minigrid"],
            "gymnasium_id": section.env_id,
            "options": {},
            "reset_seed": section.layout_seed,
        },
        "observation": BYTES
        | {
            "kind": "frames",
            "colour": "grey",
            "grey": "drawn anew, not the package's picture",
            "height": section.frame_height,
            "width": section.frame_width,
            "resize": "none",
            "max_over_last_frames": 1,
            "drawing": {
                "cells": "the whole map, k x k pixels a cell, the largest that fit, centred on 0",
                "greys": dict(GREYS) | {"agent": AGENT_GREY},
                "empty": f"0 to {NOISE_GREYS - 1} at random in each episode" if noise else 0,
                "open_door": "its outermost pixels; within, the grey of an empty cell",
                "agent": "pixels (x, y) with 2 |y - (k - 1) / 2| <= k - 1 - x where it looks "
                "right, turned for the other ways; on top of its cell",
            },
        },
        "step": {"frame_skip": 1, "reward": "the package's"},
        "sticky_actions": None,
        "start": _start("every reset is reset(seed=reset_seed): the same map in every episode"),
        "episode": {
            "max_env_steps": None if cap == "auto" else cap,
            "cap": "the simulator's own max_steps is set to it; null leaves it as it is",
            "lost_life": "there are none",
        },
        "action_names": ["left", "right", "forward", "toggle"],
        "action_values": list(ACTIONS),
        "differences": [],
    }


def _registered(section: EnvironmentSection) -> Facts:
    """Describe whatever Gymnasium registers: one step is one step."""
    drawn = section.env_type in DRAWN
    pixels = section.observes_pixels
    name = section.env_id.rpartition("-")[0]
    names = ACTION_NAMES.get(name) if drawn and _has_choices(section) else None
    observation = VECTORS | {"order": "flattened, as the simulator gives it"}
    if pixels:
        drawn = drawn and name != "CarRacing"
        seen = "its render()" if drawn else "what it observes"
        observation = _frames(section, f"{OPENCV_GREY}, of {seen}") | {"max_over_last_frames": 1}
    return {
        "simulator": {
            "packages": ["gymnasium"],
            "gymnasium_id": _gymnasium_id(section),
            "options": _options(section)
            | ({"render_mode": "rgb_array"} if drawn and pixels else {}),
        },
        "observation": observation,
        "step": _repeated(section),
        "sticky_actions": None,
        "start": _start("reset(seed) seeds the simulator"),
        "episode": {
            "max_env_steps": _cap(section),
            "cap": "a truncation, counted in env steps; null is the registered environment's own",
            "lost_life": "there are none",
        },
        "action_names": None if names is None else list(names),
        "differences": _drawn_otherwise(section) if pixels else [],
    }


def _gymnasium_id(section: EnvironmentSection) -> str:
    """Return what `gymnasium.make` takes; Sprites are registered by a module of Scout."""
    module = "workers.environments.sprites_world:" if section.env_type == "sprites" else ""
    return f"{module}{section.env_id}"


def _drawn_otherwise(section: EnvironmentSection) -> list[str]:
    """Say where frames are not as Gymnasium draws them."""
    if section.env_type == "mujoco":
        return [
            "Drawn at the frame's own size (width, height of gymnasium.make), without shadows "
            "(model.vis.quality.shadowsize = 0) and reflections (mjRND_SHADOW, mjRND_REFLECTION)."
        ]
    if section.env_id.startswith("CarRacing") and section.renderer == "fast":
        return [
            "Scout drew the 96 x 96 pixels; Gymnasium's differ by half a level of 255 on average."
        ]
    return []


def _has_choices(section: EnvironmentSection) -> bool:
    """Whether actions are choices, where the section can say something else than the id."""
    return section.env_type != "box2d" or _options(section).get("continuous") is False


def _options(section: EnvironmentSection) -> Facts:
    """Return what the simulator is made with, beside its id."""
    if section.env_type != "box2d":
        return {}
    of_the_id = section.env_id != "LunarLander-v3"
    auto = section.action_space == "auto"
    return {"continuous": of_the_id if auto else section.action_space == "continuous"}


def _frames(section: EnvironmentSection, grey: str) -> Facts:
    return BYTES | {
        "kind": "frames",
        "colour": section.frame_colour,
        "grey": grey if section.frame_colour == "grey" else None,
        "max_over_last_frames": min(2, section.frame_skip),
        "height": section.frame_height,
        "width": section.frame_width,
        "resize": f"{AREA}, after the max",
    }


def _skipped(section: EnvironmentSection) -> Facts:
    return {
        "frame_skip": section.frame_skip,
        "reward": "the sum over the emulator frames of the step, raw",
        "early_end": "a game that ends within a step shows its last frame, without the max",
    }


def _repeated(section: EnvironmentSection) -> Facts:
    """Say what an env step is where each of the simulator's shows something."""
    if section.action_repeat == 1:
        return {"frame_skip": 1, "reward": "the simulator's"}
    return {
        "frame_skip": section.action_repeat,
        "reward": "the sum over the simulator's steps with the same action, raw",
        "early_end": "an episode that ends within a step shows its last observation",
    }


def _sticky(section: EnvironmentSection, first: str) -> Facts | None:
    if not section.sticky_actions or not section.sticky_probability:
        return None
    return {
        "probability": section.sticky_probability,
        "drawn": "per emulator frame",
        "first_last_action": first,
        "generator": "numpy.random.default_rng(seed of the environment), which runs on over its "
        "episodes: each env step draws random(frame_skip) at once, and an emulator frame repeats "
        "the action of the frame before where its number is below the probability",
    }


def _start(seeding: str) -> Facts:
    return {
        "noops": 0,
        "seeding": f"the first reset of an environment is seeded, later ones are not; {seeding}",
    }


def _episode_of_frames(section: EnvironmentSection, most_frames: int) -> Facts:
    cap = section.max_episode_steps
    steps = most_frames // section.frame_skip if cap == "auto" else cap
    lost = "nothing ends"
    if section.life_done:
        lost = "the game and its score go on, but the stack and the sticky action begin anew"
    return {
        "max_env_steps": steps,
        "max_emulator_frames": steps * section.frame_skip,
        "cap": "a truncation, counted in env steps",
        "lost_life": lost,
    }


def _cap(section: EnvironmentSection) -> int | None:
    """Return the cap in env steps; None where only the registered environment knows it.

    Where an action is repeated, the last env step before the registered cap may be a shorter one.
    """
    if section.max_episode_steps != "auto":
        return section.max_episode_steps
    if section.env_type not in (*DRAWN, "sprites"):
        return None
    import gymnasium

    if section.env_type == "sprites":
        importlib.import_module("workers.environments.sprites_world")  # registers its ids
    registered = gymnasium.spec(section.env_id).max_episode_steps
    return None if registered is None else math.ceil(registered / section.action_repeat)
