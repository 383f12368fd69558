"""An evaluation in TensorBoard: its scores, and an episode as a moving picture."""

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.figures.curves import summary_writer
from training.folders.files import storage_error

FOLDER = "evaluation"  # a run of its own beside the curves, whose files a training may be writing
MOST_FRAMES = 60
MOST_COLUMNS = 640  # the text of a film can be read
MILLISECONDS = 100  # of a frame
COLOURS = 64


def show_evaluation(
    run: Path, stem: str, env_steps: int, figures: Mapping[str, float], video: Path | None
) -> None:
    """Write an evaluation into the run's TensorBoard folder; an earlier one of this stem goes.

    Args:
        run: the run's TensorBoard folder.
        stem: names the checkpoint, the choice of actions and the seed.
        env_steps: at which the checkpoint was taken.
        figures: what is drawn, by name.
        video: of an episode, or None.

    Raises:
        StorageError: it cannot be written.
    """
    folder = run / FOLDER
    try:
        for earlier in folder.glob("events.out.tfevents.*"):
            if earlier.name.endswith(f".{stem}"):
                earlier.unlink()
        writer = summary_writer(folder, None, f".{stem}")
        for name, value in figures.items():
            writer.add_scalar(f"{FOLDER}/{name}", value, env_steps)
        picture = None if video is None else moving_picture(video)
        if picture is not None:
            summary = _picture_summary(*picture)
            writer._get_file_writer().add_summary(summary, env_steps)
        writer.close()
    except OSError as error:
        raise storage_error(folder, error) from error


def moving_picture(video: Path) -> tuple[bytes, int, int] | None:
    """Return an episode as an animated GIF, with its height and width; None if it has no frame.

    It shows at most 60 frames, evenly spaced over the episode, so that a page of them loads fast.
    """
    from PIL import Image  # noqa: PLC0415 - tensorboard brings it; needed here alone

    frames = [Image.fromarray(frame) for frame in _some_frames(video)]
    if not frames:
        return None
    pictures = [frame.quantize(COLOURS) for frame in frames]
    file = io.BytesIO()
    pictures[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=MILLISECONDS,
        loop=0,
    )
    return file.getvalue(), frames[0].height, frames[0].width


def _some_frames(video: Path) -> list[NDArray[np.uint8]]:
    """Return frames of a video, uint8 [H, W, 3] (RGB), at most MOST_COLUMNS wide."""
    source = cv2.VideoCapture(str(video))
    try:
        total = int(source.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = {round(index) for index in np.linspace(0, total - 1, min(total, MOST_FRAMES))}
        frames = []
        for index in range(total):
            if not source.grab():
                break
            if index in wanted:
                frames.append(_small(np.asarray(source.retrieve()[1], dtype=np.uint8)))
    finally:
        source.release()
    return frames


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame as OpenCV reads it, in RGB and not too wide."""
    height, width = frame.shape[:2]
    small: cv2.typing.MatLike = frame
    if width > MOST_COLUMNS:
        size = (MOST_COLUMNS, round(height * MOST_COLUMNS / width))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _picture_summary(data: bytes, height: int, width: int) -> object:
    """Return a picture that is encoded already; SummaryWriter takes pixels only."""
    from tensorboard.compat.proto.summary_pb2 import (  # type: ignore[import-untyped]  # noqa: PLC0415
        Summary,  # tensorboard ships no types
    )

    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data)
    return Summary(value=[Summary.Value(tag=f"{FOLDER}/episode", image=image)])
