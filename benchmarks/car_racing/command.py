"""CarRacing drawn by Scout and by Gymnasium: CPU time of a step, and how far the frames differ.

    python -m benchmarks.car_racing
    python -m benchmarks.car_racing --turns 3 --steps 200

All contenders drive the same tracks with the same random actions, in turns, and every turn is a
whole episode of --steps, its zoom at the start included. Time is this process's CPU time, so that a
busy machine changes little; ratios are taken turn by turn. Frames are compared in states of 20
tracks, ten of each.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import cv2
import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from configs.errors import ScoutError
from configs.schema import EnvironmentSection
from workers.environments.make import make_environment

TRACKS, STATES_A_TRACK = 20, 10
SIZE = 64  # pixels of a frame of Scout's environments, in colour
NO_PICTURE = np.zeros((96, 96, 3), np.uint8)

PACKAGES = ("gymnasium", "Box2D", "pygame-ce", "opencv-python")


class Contender(NamedTuple):
    """What is timed: `reset(seed=...)` and `step(action)`, whatever they return."""

    reset: Callable[..., object]
    step: Callable[[NDArray[np.float32]], object]


def gymnasium_alone() -> Contender:
    """Return the environment as Gymnasium ships it."""
    environment = gymnasium.make("CarRacing-v3", disable_env_checker=True)
    return Contender(environment.reset, environment.step)


def physics_alone() -> Contender:
    """Return the simulator without any drawing."""
    simulator, _ = undrawn()
    return Contender(simulator.reset, simulator.step)


def scouts(renderer: str) -> Contender:
    """Return Scout's environment, which resizes what is drawn."""
    section = EnvironmentSection.model_validate(
        {
            "EnvType": "box2d",
            "EnvID": "CarRacing-v3",
            "Renderer": renderer,
            "FrameColour": "rgb",
            "PreProcHeight": SIZE,
            "PreProcWidth": SIZE,
            "ActionMapping": "clip",
        }
    )
    environment = make_environment(section)
    return Contender(environment.reset, environment.step)


def undrawn() -> tuple[Any, Any]:
    """Return a simulator that draws nothing by itself, and what draws it as Scout does."""
    # Here, so that a machine without Box2D is told so in words.
    from workers.environments.box2d.car_racing import DrawnCarRacing  # noqa: PLC0415
    from workers.environments.box2d.car_racing_picture import CarRacingPicture  # noqa: PLC0415

    simulator = DrawnCarRacing(continuous=True)
    simulator.draw_observation = lambda: NO_PICTURE
    return simulator, CarRacingPicture(simulator)


CONTENDERS: dict[str, Callable[[], Contender]] = {
    "gymnasium": gymnasium_alone,
    "Renderer = stock": partial(scouts, "stock"),
    "Renderer = fast": partial(scouts, "fast"),
    "nothing drawn": physics_alone,
}


def seconds_of_a_step(contender: Contender, track: int, steps: int) -> float:
    """Return the CPU seconds of an env step over an episode."""
    draw = np.random.default_rng(track)
    actions = draw.uniform((-1, 0, 0), (1, 1, 1), (steps, 3)).astype(np.float32)
    began = time.process_time()
    contender.reset(seed=track)
    for action in actions:
        contender.step(action)
    return (time.process_time() - began) / steps


def frame_differences() -> list[float]:
    """Return the mean difference of both frames, in levels of 255, in each of 200 states."""
    simulator, picture = undrawn()
    found = []
    for track in range(TRACKS):
        draw = np.random.default_rng(track)
        simulator.reset(seed=track)
        chosen = set(draw.choice(400, STATES_A_TRACK, replace=False).tolist())
        for step in range(400):
            if step % 10 == 0:
                action = np.array((0.3 * draw.normal(), draw.random(), 0.2 * draw.random()))
            if step in chosen:
                stock = simulator.draw_stock().astype(np.int64)
                found.append(float(np.abs(stock - picture.draw()).mean()))
            simulator.step(action)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    options = _parse(arguments)
    cv2.setNumThreads(1)  # so that this process's time is that of one core
    try:
        with recording("car_racing", options, PACKAGES) as record:
            record.say(_speeds(options.turns, options.steps))
            record.say(_differences())
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _speeds(turns: int, steps: int) -> str:
    contenders = {name: make() for name, make in reversed(CONTENDERS.items())}
    costs: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(turns):
        for name in CONTENDERS:
            costs[name].append(seconds_of_a_step(contenders[name], turn, steps))
    lines = ["| drawn by | env steps per CPU second | times gymnasium |", "|---|---|---|"]
    for name, found in costs.items():
        ratios = [before / now for before, now in zip(costs["gymnasium"], found, strict=True)]
        lines.append(f"| {name} | {spread([1 / s for s in found])} | {spread(ratios, 1)} |")
    return "\n".join(lines)


def _differences() -> str:
    found = frame_differences()
    return (
        f"Frames of {len(found)} states differ by {np.mean(found):.2f} of 255 on average over "
        f"their pixels, at most {max(found):.2f}."
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.car_racing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=5, help="episodes of each contender")
    parser.add_argument("--steps", type=int, default=1000, help="env steps of an episode")
    add_log_flag(parser)
    return parser.parse_args(arguments)
