"""The film of an evaluation: the real screen beside what the agent is curious about."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from configs.errors import ConfigurationError, ScoutError
from configs.schema import Config
from training.building.learner import rollout_shape
from training.building.seeding import stream_seed
from training.checkpoints.payload_form import laid_out
from training.dreaming.opening import DREAM
from training.figures.axes import axis_names
from training.figures.lettering import Colour, Picture
from training.live.console import final_message
from training.loop.visits import visits_until
from training.playing.curiosity import describe_bonus, judge_episode
from training.playing.eyes import controller_parts
from training.playing.loaded_agent import LoadedAgent, LoadedController, LoadedPPO, LoadedTD3
from training.playing.maps import RoomMap, StateMap
from training.playing.panels import Curve, Note, Part, blank
from training.playing.recording import Recording, record_game
from training.playing.video import VideoWriter, caption_frame
from workers.environment_process import EnvironmentProcess
from workers.environments.base import Environment
from workers.environments.make import make_environment

FRAMES_PER_SECOND = 60  # of the consoles; an env step shows every FrameSkip-th frame
STATE_FRAMES_PER_SECOND = 30

WIDTH = 360  # of the column beside the screen, in pixels
MAP_SHARE = 0.42  # of its height, where there is a map
NOTE_HEIGHT = 28
BONUS: Colour = (255, 196, 84)
EXTRINSIC: Colour = (96, 208, 190)
INTRINSIC: Colour = (190, 150, 255)


Filmed = LoadedPPO | LoadedTD3
"""An agent that says what it expects of what it sees."""


def make_film(agent: LoadedAgent, path: Path, seed: int) -> Path:
    """Play one game and write it as an mp4; return the path.

    The game is played first and judged as a whole, so that all curves have their final scale.

    Args:
        agent: plays and judges; nothing of it is changed.
        path: the film.
        seed: of the environment.

    Raises:
        ConfigurationError: the environment stops drawing pictures on the way.
        StorageError: the film cannot be written.
    """
    spec = agent.player.spec
    environment = _environment_of(agent.config)
    try:
        recording = record_game(environment, agent.player, stream_seed(seed, "evaluation video"))
        parts = make_parts(agent, recording, environment, _picture_height(recording))
    finally:
        environment.close()
    rate = float(STATE_FRAMES_PER_SECOND)
    if spec.frame_skip > 1:
        rate = FRAMES_PER_SECOND / spec.frame_skip
    name = agent.config.environment.env_id
    first = compose(recording, parts, name, 0)
    with VideoWriter(path, fps=rate, height=first.shape[0], width=first.shape[1]) as video:
        for moment in range(recording.num_moments):
            video.write(compose(recording, parts, name, moment))
    return path


def film_of(agent: LoadedAgent, path: Path, seed: int) -> Path | None:
    """Make the film, if the environment draws all of the game; say what came of it."""
    try:
        film = make_film(agent, path, seed)
    except ConfigurationError as error:
        final_message(f"no video    {error}")
        return None
    final_message(f"video       {film}")
    return film


def why_no_film(config: Config, seed: int) -> str | None:
    """Say why no film can be made of an environment; None if one can.

    Its first picture is looked at, as games that were played in vain would cost time.

    Args:
        config: of the policy.
        seed: of the environment.

    Raises:
        ConfigurationError: there can be no such environment at all.
    """
    if config.environment.env_type == DREAM:
        return "a dream draws no pictures; --play shows one beside reality"
    environment = _environment_of(config)
    try:
        environment.reset(seed=stream_seed(seed, "evaluation video"))
        environment.render()
    except ScoutError as error:
        return str(error).splitlines()[0]  # what follows is a traceback
    finally:
        environment.close()
    return None


def _environment_of(config: Config) -> EnvironmentProcess:
    """Return an environment in a process of its own, with the time limits of the run."""
    return EnvironmentProcess(
        functools.partial(make_environment, config.environment),
        step_timeout=config.run.step_timeout,
        reset_timeout=config.run.reset_timeout,
    )


def compose(recording: Recording, parts: Sequence[Part], name: str, moment: int) -> Picture:
    """Return the picture of a moment: the captioned screen, and the parts in a column beside it."""
    screen = captioned(recording, name, moment)
    column = np.concatenate([part.draw(moment) for part in parts])
    missing = screen.shape[0] - column.shape[0]
    return np.concatenate([screen, np.concatenate([column, blank(missing, WIDTH)])], axis=1)


def captioned(recording: Recording, name: str, moment: int) -> Picture:
    """Return the real screen with what has come of the episode below it."""
    line = f"step {moment}  score {recording.scores[moment]:g}"
    return caption_frame(recording.screen(moment), [name, line])


def make_parts(
    agent: LoadedAgent, recording: Recording, environment: Environment, height: int
) -> list[Part]:
    """Return the parts of the column beside the screen, at most `height` pixels high together."""
    if isinstance(agent, LoadedController):
        return controller_parts(agent, recording, height, WIDTH)
    assert isinstance(agent, LoadedPPO | LoadedTD3)
    map_height = round(MAP_SHARE * height)
    room_map = _make_map(agent, recording, environment, map_height)
    left = height - (map_height if room_map else 0)
    curves = _make_curves(agent, recording, left)
    return [*curves, room_map] if room_map else curves


def _make_curves(agent: Filmed, recording: Recording, height: int) -> list[Part]:
    values = Curve(
        "value, extrinsic",
        recording.values_extrinsic,
        height=(height - NOTE_HEIGHT) // 2,
        width=WIDTH,
        colour=EXTRINSIC,
    )
    if isinstance(agent, LoadedTD3):
        return [Note("TD3: the value is its first critic's", NOTE_HEIGHT, WIDTH), values]
    title = describe_bonus(agent.config)
    shape = rollout_shape(agent.config, agent.player.spec, 1, agent.learner.encoder)
    bonuses = judge_episode(agent.learner, recording.lived, shape, agent.player.device)
    if bonuses is None or title is None:
        return [Note("no bonus: this is plain PPO", NOTE_HEIGHT, WIDTH), values]
    third = height // 3
    return [
        Curve(title, bonuses.tolist(), third, WIDTH, colour=BONUS, start=1),
        Curve("value, extrinsic", recording.values_extrinsic, third, WIDTH, colour=EXTRINSIC),
        Curve("value, intrinsic", recording.values_intrinsic, third, WIDTH, colour=INTRINSIC),
    ]


def _make_map(
    agent: Filmed, recording: Recording, environment: Environment, height: int
) -> Part | None:
    if environment.room_rows:
        rows = environment.room_rows
        return RoomMap(rows, recording.rooms, recording.room, height, WIDTH)
    with laid_out("visits", agent.path):
        coverage = visits_until(agent.payload, agent.player.spec)
    if coverage is None:
        return None
    axes = axis_names(agent.player.spec.env_id)
    return StateMap(coverage, recording.states(), axes, height, WIDTH)


def _picture_height(recording: Recording) -> int:
    return len(captioned(recording, "", 0))
