"""A run's TensorBoard files, over env steps and over frames."""

import functools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.figures.curve_pages import Pages

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Picture = NDArray[np.uint8]

_CHARTS = "charts/"
_FLUSH_SECONDS = 10


class Curves:
    """The TensorBoard writers of the two axes.

    Args:
        path: the run's folder; the curves over the second axis lie in a folder of their own within,
            since a cut takes all curves of a folder from one number on.
        second_axis: its name.
        first_env_step, first_frame: where to cut what is there; None = nowhere.
    """

    def __init__(
        self,
        path: Path,
        *,
        second_axis: str,
        first_env_step: int | None,
        first_frame: int | None,
    ) -> None:
        self._by_env_steps = summary_writer(path, first_env_step)
        self._by_frames = summary_writer(path / second_axis, first_frame)
        self._charts_again = f"charts_by_{second_axis}/"

    def add(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve, and put it into its file."""
        by_frames = {
            self._charts_again + name.removeprefix(_CHARTS): value
            for name, value in values.items()
            if name.startswith(_CHARTS)
        }
        _add_row(self._by_env_steps, values, env_steps)
        _add_row(self._by_frames, by_frames, frames)
        self._by_env_steps.flush()
        self._by_frames.flush()

    def add_pages(self, pages: Pages, env_steps: int) -> None:
        """Add what stands beside the curves."""
        pages.write(self._by_env_steps, env_steps)

    def add_picture(self, name: str, picture: Picture, env_steps: int) -> None:
        """Add a picture [H, W, C], and put it into its file."""
        self._by_env_steps.add_image(name, picture, env_steps, dataformats="HWC")
        self._by_env_steps.flush()

    def close(self) -> None:
        """Write out what is pending."""
        self._by_env_steps.close()
        self._by_frames.close()


def _add_row(writer: "SummaryWriter", values: Mapping[str, float], step: int) -> None:
    """Add a point to each curve as one record: thirty of their own cost a short update a tenth."""
    # Imported here as in summary_writer.
    from tensorboard.compat.proto.summary_pb2 import (  # type: ignore[import-untyped]  # noqa: PLC0415
        Summary,
    )

    points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    writer._get_file_writer().add_summary(Summary(value=points), step)


def summary_writer(path: Path, purge_step: int | None, suffix: str = "") -> "SummaryWriter":
    """Return a writer into a folder; points from `purge_step` on are cut."""
    # Imported here: the module is also used where torch must not be loaded.
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    _hush_writer_threads()

    return SummaryWriter(
        str(path), purge_step=purge_step, flush_secs=_FLUSH_SECONDS, filename_suffix=suffix
    )


@functools.cache  # once for all writers
def _hush_writer_threads() -> None:
    """Let TensorBoard's threads fail without a traceback: the writer's next call raises the same.

    So a full disk is told in one sentence.
    """
    tell = threading.excepthook

    def tell_of_others(failure: threading.ExceptHookArgs) -> None:
        of_a_writer = type(failure.thread).__module__.startswith("tensorboard.")
        if not (of_a_writer and isinstance(failure.exc_value, OSError)):
            tell(failure)

    threading.excepthook = tell_of_others
