"""Episodes as .mp4 files, and a strip of text below a frame."""

import errno
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from training.folders.files import storage_error

Frame = NDArray[np.uint8]  # [H, W, 3], RGB

MINIMUM_HEIGHT = 320
# In this order: VP9 is in every wheel of opencv-python and plays in browsers; H.264 is in few
# builds, and asking for it in vain writes errors to the terminal; MPEG-4 plays outside browsers.
_CODECS = ("vp09", "avc1", "mp4v")
_STRIP_COLOUR = (24, 24, 28)
_TEXT_COLOUR = (235, 235, 235)
_TEXT_SIZE = 16
_TEXT_WEIGHT = 500
_LINE_HEIGHT = 24
_MARGIN = 10


class VideoWriter:
    """Writes frames to `path` (.mp4); the file appears when it is whole, at `close`.

    Small frames are enlarged by an integer, so that they are at least 320 pixels high.

    Args:
        path: the file; its folder is made.
        fps: frames per second at play-back.
        height, width: size of the frames that will be written.

    Raises:
        StorageError: the file cannot be made, or (at `close`) does not hold what was written.

    Attributes:
        codec: the four letters of the codec in use.
    """

    def __init__(self, path: Path, fps: float, height: int, width: int) -> None:
        self._path = path
        self._part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.part.mp4")
        self._size = (height, width)
        self._factor = _enlargement(height, width)
        self._num_frames = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()
        except OSError as error:
            raise storage_error(path, error) from error
        self._output_size = (width * self._factor, height * self._factor)
        self.codec, self._writer = self._open(fps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *rest: object) -> None:
        if exception_type is None:
            self.close()
        else:
            self.discard()

    def write(self, frame: Frame) -> None:
        """Append one frame: uint8 [H, W, 3], RGB, of the size given at the start."""
        if frame.shape != (*self._size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"a frame of this video is uint8 [{self._size[0]}, {self._size[1]}, 3], "
                f"not {frame.dtype} {list(frame.shape)}"
            )
        self._writer.write(cv2.cvtColor(_enlarge(frame, self._factor), cv2.COLOR_RGB2BGR))
        self._num_frames += 1

    def close(self) -> None:
        """Finish the file, read its size back, and put it in its place."""
        if not self._writer.isOpened():
            return
        self._writer.release()
        if self._num_frames == 0:
            self.discard()
            raise ValueError(f"video {self._path} was given no frame")
        # OpenCV reports no failed write; what can be read back is the only witness.
        found = _contents(self._part)
        wanted = (self._num_frames, *self._output_size)
        if found != wanted:
            self.discard()
            reason = f"{max(found[0], 0)} of {wanted[0]} frames can be read back"
            raise storage_error(self._path, OSError(errno.EIO, reason))
        try:
            self._part.replace(self._path)
        except OSError as error:
            self.discard()
            raise storage_error(self._path, error) from error

    def discard(self) -> None:
        """Leave no file behind."""
        self._writer.release()
        self._part.unlink(missing_ok=True)

    def _open(self, fps: float) -> tuple[str, cv2.VideoWriter]:
        for codec in _CODECS:
            code = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(
                os.fspath(self._part), cv2.CAP_FFMPEG, code, fps, self._output_size
            )
            if writer.isOpened():
                return codec, writer
        self._part.unlink(missing_ok=True)
        reason = f"OpenCV {cv2.__version__} could begin it in none of {', '.join(_CODECS)}"
        raise storage_error(self._path, OSError(errno.EIO, reason))


def caption_frame(frame: Frame, lines: Sequence[str]) -> Frame:
    """Return the frame, enlarged if small, with `lines` on a dark strip below it.

    Args:
        frame: uint8 [H, W, 3], RGB.
        lines: one text per line; one that is too wide is cut.

    Returns:
        uint8 [H', W', 3]; the same size for the same frame size and number of lines.
    """
    picture = _enlarge(frame, _enlargement(*frame.shape[:2]))
    height, width = picture.shape[:2]
    strip_height = 2 * _MARGIN + _LINE_HEIGHT * len(lines)
    strip_height += (height + strip_height) % 2
    strip = np.full((strip_height, width, 3), _STRIP_COLOUR, np.uint8)
    font = cv2.FontFace("sans")
    for index, line in enumerate(lines):
        baseline = _MARGIN + _LINE_HEIGHT * index + _TEXT_SIZE
        text = _fit(line, width - 2 * _MARGIN, font)
        cv2.putText(strip, text, (_MARGIN, baseline), _TEXT_COLOUR, font, _TEXT_SIZE, _TEXT_WEIGHT)
    return np.concatenate([picture, strip])


def _fit(text: str, width: int, font: cv2.FontFace) -> str:
    """Return the longest start of `text` that is drawn in `width` pixels."""
    for length in range(len(text), 0, -1):
        # The image is wide, else the text would be measured wrapped.
        box = cv2.getTextSize(
            (1_000_000, 100), text[:length], (0, 50), font, _TEXT_SIZE, _TEXT_WEIGHT
        )
        if box[0] + box[2] <= width:
            return text[:length]
    return ""


def _enlargement(height: int, width: int) -> int:
    """Return the smallest factor to 320 pixels of height and to even sides, which codecs need."""
    factor = -(-MINIMUM_HEIGHT // height)
    return factor + 1 if factor % 2 and (height % 2 or width % 2) else factor


def _enlarge(frame: Frame, factor: int) -> Frame:
    return frame.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else frame


def _contents(path: Path) -> tuple[int, int, int]:
    """Return the number of frames, the width and the height that a reader finds in the file."""
    reader = cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
    try:
        keys = (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        num_frames, width, height = (int(reader.get(key)) for key in keys)
    finally:
        reader.release()
    return num_frames, width, height
