"""What films of fresh play share: where they go, whether a model fits, drawings, the writing."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from agents.encoders.drawing import DrawingObjective
from agents.encoders.objective import Pictures
from configs.errors import CheckpointError, ConfigurationError
from training.checkpoints.encoder import TrainedModel
from training.figures.curves import Picture
from training.folders.files import check_writable
from training.offline.encoding import latents_of
from training.playing.video import Frame, VideoWriter
from training.probing.drawings import draw_all
from training.recording.background import MEDIAN
from trajectories.episode import Episode

FRAMES_PER_SECOND = 15.0


def film_path(out: Path | None) -> Path | None:
    """Return where the film goes, if that was said.

    Raises:
        ConfigurationError: it cannot go there.
    """
    if out is None:
        return None
    if out.suffix != ".mp4":
        raise ConfigurationError(f"--out={out}: it is a film; give it a name that ends in .mp4")
    check_writable(out, "--out")
    return out


def drawing(model: TrainedModel) -> DrawingObjective:
    """Return the objective of a model that draws.

    Raises:
        CheckpointError: it does not.
    """
    if not isinstance(model.objective, DrawingObjective):
        raise CheckpointError(
            f"{model.trained.path}: a {model.trained.model} draws nothing; name a state_decoder, "
            "a vae or an autoencoder"
        )
    return model.objective


def background_of(objective: DrawingObjective) -> str | None:
    """Return what was taken off the frames that an objective draws (`--background`), if anything.

    Such frames have a sign, and so a type of their own.
    """
    return MEDIAN if objective.frames.dtype == torch.int16 else None


def check_form(model: TrainedModel, episode: Episode, names: tuple[str, ...]) -> None:
    """Refuse a model of which the environment does not show, or does not tell, what it takes.

    Args:
        model: one that draws.
        episode: of fresh play.
        names: of the numbers of the environment's state.

    Raises:
        CheckpointError: with both.
    """
    objective, path = drawing(model), model.trained.path
    shape = episode.observations.shape[1:]
    if shape != objective.frames.shape:
        raise CheckpointError(
            f"{path}: was trained on frames of shape {objective.frames.shape}, and a fresh "
            f"{model.trained.environment_id} shows {shape}"
        )
    if model.trained.encoder.observes != "states":
        return
    wanted = list(model.trained.dataset.get("schema", {}).get("state", []))
    if wanted != list(names):
        raise CheckpointError(
            f"{path}: draws the state {', '.join(wanted)}, and a fresh "
            f"{model.trained.environment_id} tells {', '.join(names) or 'none'}"
        )


def drawn(
    objective: DrawingObjective, episode: Episode, device: torch.device
) -> tuple[Pictures, Tensor]:
    """Return the frames of an episode as pictures and what is drawn of them, on the CPU, and the
    latents [T + 1, D] that this was drawn from, on the device.
    """
    seen = episode.observations
    if objective.encoder.observes == "states":
        assert episode.states is not None
        seen = episode.states
    features = torch.from_numpy(latents_of(objective.encoder, seen)[0]).to(device)
    frames = torch.from_numpy(np.array(episode.observations)).to(device)
    return draw_all(objective, frames, features), features


def in_colour(picture: Picture) -> Frame:
    """Return a picture uint8 [H, W, 1 or 3] with three channels."""
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def write_film(path: Path, frames: Iterable[Frame]) -> None:
    """Write frames of one size.

    Raises:
        StorageError: the film cannot be written.
    """
    coming = iter(frames)
    first = next(coming)
    height, width, _ = first.shape
    with VideoWriter(path, FRAMES_PER_SECOND, height, width) as video:
        video.write(first)
        for frame in coming:
            video.write(frame)
