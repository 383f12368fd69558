"""A film in a window, where there is one."""

import os
import re
import time
from collections.abc import Iterable

import cv2

from training.playing.video import Frame

TITLE = "main.py --play"
CLOSING_KEYS = (27, ord("q"))
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def why_no_window() -> str | None:
    """Say why no window can be opened; None where one can."""
    if not any(os.environ.get(name) for name in DISPLAYS):
        return "there is no display"
    if re.search(r"^\s*GUI:\s+NONE", cv2.getBuildInformation(), re.MULTILINE):
        return "this OpenCV is headless"
    return None


def show_window(frames: Iterable[Frame], rate: float) -> None:
    """Show frames, so many a second, until they end, the window is closed, or q is pressed."""
    for frame in frames:
        begun = time.monotonic()
        cv2.imshow(TITLE, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        left = max(1, round(1000 * (1.0 / rate - (time.monotonic() - begun))))
        is_asked = cv2.waitKey(left) & 0xFF in CLOSING_KEYS
        if is_asked or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            break
    cv2.destroyAllWindows()
