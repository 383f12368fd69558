"""The run's figures: one row per log in metrics.jsonl, and the same as TensorBoard curves.

Curves have env steps as their axis; those under charts/ are drawn a second time over frames, in a
folder of their own, because TensorBoard cuts a resumed curve by its axis (see curves.py).
"""

import json
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from training.figures.curve_pages import Pages
from training.figures.curves import Curves, Picture
from training.folders.files import storage_error
from training.folders.run_folder import RunFolder

_LOG = logging.getLogger(__name__)


class Axes(NamedTuple):
    """What rows and curves are counted by: the names of the two counts."""

    first: str
    second: str


PLAY = Axes("env_steps", "frames")


class MetricsRecorder(Protocol):
    """Where the figures go."""

    def write(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        """Record `values` (name area/quantity -> number) at this many env steps and frames."""

    def show(self, pages: Pages) -> None:
        """Show pages beside the curves."""

    def draw(self, name: str, picture: Picture, env_steps: int) -> None:
        """Show a picture beside the curves: uint8 [H, W, C]."""

    def close(self) -> None:
        """Write out what is pending."""


class NullMetricsWriter:
    """Records nothing: for every rank but the first."""

    def write(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def show(self, pages: Pages) -> None:
        """Do nothing."""

    def draw(self, name: str, picture: Picture, env_steps: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class MetricsWriter:
    """Appends rows to the run's metrics.jsonl and points to its TensorBoard curves.

    A row is one JSON object: env_steps, frames, wall_time (seconds since 1970), and the values; a
    number that is not finite is null, and its name is logged the first time. TensorBoard's files
    begin with the first row, so that a start that fails before leaves none.

    Args:
        run: the run's folder, open.
        resume_from_step: env steps of the checkpoint the run goes on from: later rows and points
            are cut. None = nothing is cut.
        axes: the names of the two counts.

    Raises:
        StorageError: metrics.jsonl or the curves cannot be written (all methods).
    """

    def __init__(
        self, run: RunFolder, *, resume_from_step: int | None = None, axes: Axes = PLAY
    ) -> None:
        self._axes = axes
        self._path = run.path / "metrics.jsonl"
        self._tensorboard_path = run.tensorboard_path
        self._resume_from_step = resume_from_step
        self._pages: Pages | None = None
        self._reported_names: set[str] = set()
        self._curves: Curves | None = None
        try:
            self._last_frames = _cut_rows(self._path, resume_from_step, axes)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise storage_error(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        """Append the row and its points; they are in their files when this returns.

        A checkpoint saved later is never of an update whose figures a kill can still lose.
        """
        numbers = {name: float(value) for name, value in values.items()}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        self._report_missing(env_steps, numbers.keys() - finite.keys())
        row: dict[str, float | None] = {
            self._axes.first: env_steps,
            self._axes.second: frames,
            "wall_time": round(time.time(), 3),
        }
        row.update({name: finite.get(name) for name in numbers})
        self._append((json.dumps(row, allow_nan=False) + "\n").encode())
        self._draw(env_steps, frames, finite)

    def show(self, pages: Pages) -> None:
        """Show text, settings and the order of charts beside the curves, from the next row on."""
        self._pages = pages

    def draw(self, name: str, picture: Picture, env_steps: int) -> None:
        """Show a picture beside the curves; it needs a row that was written before."""
        if self._curves is not None:
            try:
                self._curves.add_picture(name, picture, env_steps)
            except OSError as error:
                self._curves, self._resume_from_step = None, None
                raise storage_error(self._tensorboard_path, error) from error

    def close(self) -> None:
        """Write out what is pending."""
        curves, self._curves = self._curves, None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if curves is not None:
            try:
                curves.close()
            except OSError as error:
                raise storage_error(self._tensorboard_path, error) from error

    def _append(self, line: bytes) -> None:
        """Append the whole line or nothing."""
        size = os.fstat(self._descriptor).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            if len(rest) < len(line):
                os.ftruncate(self._descriptor, size)
            raise storage_error(self._path, error, len(line)) from error

    def _draw(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        try:
            if self._curves is None:
                cut = self._resume_from_step is not None
                self._curves = Curves(
                    self._tensorboard_path,
                    second_axis=self._axes.second,
                    first_env_step=(self._resume_from_step or 0) + 1 if cut else None,
                    first_frame=self._last_frames + 1 if cut else None,
                )
            if self._pages is not None:
                self._curves.add_pages(self._pages, env_steps)
                self._pages = None
            self._curves.add(env_steps, frames, values)
        except OSError as error:
            # A writer that failed once refuses for ever; the next row begins a new file.
            self._curves, self._resume_from_step = None, None
            raise storage_error(self._tensorboard_path, error) from error

    def _report_missing(self, env_steps: int, names: set[str]) -> None:
        new = sorted(names - self._reported_names)
        if new:
            self._reported_names.update(new)
            _LOG.warning("not a finite number at %d env steps: %s", env_steps, ", ".join(new))


def _cut_rows(path: Path, last_env_step: int | None, axes: Axes) -> int:
    """Cut rows after `last_env_step` (None = none) and a torn last row; keep all others.

    One truncation does it: rows lie in the order of their env steps.

    Returns:
        the frames of the last row that stays, 0 if there is none.
    """
    if not path.exists():
        return 0
    frames = end = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                row = json.loads(line)
                if last_env_step is not None and row[axes.first] > last_env_step:
                    break
                frames = row[axes.second]
            except (ValueError, KeyError, TypeError):
                _LOG.warning("%s: a row at byte %d cannot be read; it is kept", path, end)
            end += len(line)
    os.truncate(path, end)
    return frames
