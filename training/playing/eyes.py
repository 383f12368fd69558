"""What a controller sees of a game, drawn beside the screen: its frames, and what it keeps of them.

The picture that the vision model makes of its code shows what the code has left out. The checkpoint
holds the encoder alone; the decoder is read from the model's folder where that is still there.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from agents.encoders.backbone import frames_of
from agents.encoders.drawing import DrawingObjective
from configs.errors import CheckpointError
from training.checkpoints.encoder import load_model
from training.checkpoints.offline import told
from training.figures.lettering import Picture
from training.playing.loaded_agent import LoadedController
from training.playing.panels import HEADING, MARGIN, Curve, Note, Part, blank, write
from training.playing.recording import Recording

BATCH = 64  # frames drawn at once
NOTE_HEIGHT = 28
Pictures = NDArray[np.uint8]  # [T + 1, H, W, 3]


class Tiles:
    """Pictures side by side, each with its name above; one of each for every moment.

    Args:
        pictures: name -> [T + 1, H, W, 3], uint8.
        height, width: in pixels.
    """

    def __init__(self, pictures: dict[str, Pictures], height: int, width: int) -> None:
        self._pictures = pictures
        self._base = blank(height, width)
        self._side = min(height - HEADING - MARGIN, (width - 3 * MARGIN) // 2)

    def draw(self, moment: int) -> Picture:
        """Return the pictures of the moment."""
        drawn = self._base.copy()
        for place, (name, pictures) in enumerate(self._pictures.items()):
            left = MARGIN + place * (self._side + MARGIN)
            write(drawn, name, left, 16, self._side)
            scaled = cv2.resize(
                pictures[moment], (self._side, self._side), interpolation=cv2.INTER_NEAREST
            )
            drawn[HEADING : HEADING + self._side, left : left + self._side] = scaled
        return drawn


def controller_parts(
    agent: LoadedController, recording: Recording, height: int, width: int
) -> list[Part]:
    """Return the parts of the column beside the screen, `height` pixels high together."""
    colour = (96, 208, 190)
    if agent.models.encoder is None:
        note = Note("this controller sees the state itself", NOTE_HEIGHT, width)
        score = Curve("score", recording.scores, height - NOTE_HEIGHT, width, colour=colour)
        return [note, score]
    frames = _frames(recording)
    pictures = {"what it sees": _as_colours(frames)}
    parts: list[Part] = []
    try:
        pictures["what it keeps of that"] = _redrawn(agent, frames)
    except CheckpointError as error:
        parts.append(Note(f"no reconstruction: {error}", NOTE_HEIGHT, width))
    tiles = min((width - 3 * MARGIN) // 2 + HEADING + MARGIN, height // 2)
    left = height - tiles - NOTE_HEIGHT * len(parts)
    return [
        Tiles(pictures, tiles, width),
        *parts,
        Curve("score", recording.scores, left, width, colour=colour),
    ]


def _frames(recording: Recording) -> torch.Tensor:
    """Return what was seen at each moment, uint8 [T + 1, C, H, W]."""
    lived = recording.lived
    return torch.stack([lived.first, *(step.final for step in lived.steps)])


def _as_colours(frames: torch.Tensor) -> Pictures:
    shown = frames.permute(0, 2, 3, 1).numpy()
    return shown if shown.shape[3] == 3 else np.repeat(shown, 3, axis=3)


@torch.inference_mode()
def _redrawn(agent: LoadedController, frames: torch.Tensor) -> Pictures:
    """Return the vision model's pictures of frames.

    Raises:
        CheckpointError: its folder is gone, holds another encoder by now, or draws nothing.
    """
    assert agent.models.encoder is not None
    folder = Path(agent.config.evolution.vision_model)
    model = load_model(folder)
    if model.trained.digest != told(agent.models.encoder.facts, agent.path)["digest"]:
        raise CheckpointError(f"{folder} holds another encoder than the checkpoint")
    objective = model.objective
    if not isinstance(objective, DrawingObjective):
        raise CheckpointError(f"{folder}: {model.trained.model} has no decoder")
    kept = frames_of(objective.encoder).as_kept(frames)
    drawn = [objective.draw(objective.encoder.frame_features(part)) for part in kept.split(BATCH)]
    pictures = (torch.cat(drawn) * 255.0).round().to(torch.uint8)
    return _as_colours(pictures)
