"""The screen in place: drawn again and again over itself, below all other lines."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType, Segment
from rich.text import Text

from training.live.layout import lay_out
from training.live.status import View

# These are no controls that rich names; the kind given here only marks a text as one.
_MARK = [(ControlType.CLEAR,)]
# Erasing to the end begins a row further down: from the first row on it would be all of the screen,
# and terminals then keep a copy above.
_ERASE_BELOW = Segment("\r\x1b[K\n\x1b[J\x1b[A", None, _MARK)
# Between these two a terminal that knows them shows nothing half drawn.
_BEGIN, _END = Segment("\x1b[?2026h", None, _MARK), Segment("\x1b[?2026l", None, _MARK)


class Screen(RenderHook):
    """Draws views in place; other lines that are printed meanwhile stand above it.

    Other processes write to the same terminal: torchrun, other ranks, the keyboard's echo. So the
    cursor rests on an empty line above what is drawn: what they write stays, and the next drawing
    begins below it. It also stays right where a terminal wraps its lines anew.

    Nothing is drawn but by a call: no thread prints after the end.

    Attributes:
        pause: seconds between two drawings, at least.
        longest_silence: seconds after which it is drawn again, between two updates.
        is_in_place: whether drawing again replaces what was drawn.
    """

    pause = longest_silence = 0.5
    is_in_place = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: list[Text] = []
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(_printed_through(console))
        console.show_cursor(False)
        console.push_render_hook(self)

    def draw(self, view: View) -> None:
        """Draw a view in the place of the last one."""
        console = self._console
        self._lines = lay_out(
            view, console.width, console.height - 1, only_ascii=console.options.ascii_only
        )
        console.print(Control())  # nothing to print, but the hook draws

    def close(self) -> None:
        """Leave what was drawn last, and put the cursor below it."""
        self._console.pop_render_hook()
        self._console.print(_Last(self._lines), end="")
        self._console.show_cursor(True)
        self._stack.close()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put whatever is printed in the place of the screen, and the screen below it."""
        return [_Erased(), *renderables, _Below(self._lines)]


class _Erased:
    """Nothing from the cursor's line on."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _BEGIN
        yield _ERASE_BELOW


class _Below:
    """Lines below the cursor, which stays where it is."""

    def __init__(self, lines: list[Text]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._lines[: max(console.height - 1, 0)]
        for line in lines:
            yield Segment.line()
            yield _cropped(line)
        yield Control(*((ControlType.CURSOR_UP, 1),) * len(lines), ControlType.CARRIAGE_RETURN)
        yield _END


class _Last:
    """The lines as any others, with the cursor after them."""

    def __init__(self, lines: list[Text]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _ERASE_BELOW
        for line in self._lines:
            yield _cropped(line)
            yield Segment.line()


def _cropped(line: Text) -> Text:
    line = line.copy()
    line.no_wrap, line.overflow, line.end = True, "crop", ""
    return line


@contextlib.contextmanager
def _printed_through(console: Console) -> Iterator[None]:
    """Let what this process prints pass through the console, where it is put above the screen."""
    with (
        contextlib.redirect_stdout(FileProxy(console, sys.stdout)),
        contextlib.redirect_stderr(FileProxy(console, sys.stderr)),
    ):
        yield
