"""A terminal in memory, as tmux and its like behave: it scrolls, wraps, and wraps anew."""

import io
import re
from collections.abc import Callable

from rich.console import Console

_TOKEN = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Terminal(io.StringIO):
    """Rows of text and a cursor; what scrolled off the top cannot be reached any more.

    Attributes:
        cursor_is_shown: whether the last code for it said so.
        on_write: called at each write.
    """

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.cursor_is_shown = True
        self.on_write: Callable[[], object] = bool
        self._rows = [""]
        self._continues = [False]  # whether a row goes on the one before
        self._row = self._column = 0

    def write(self, text: str) -> int:
        self.on_write()
        for match in _TOKEN.finditer(text):
            private, arguments, code, carriage_return, new_line, letters = match.groups()
            if carriage_return:
                self._column = 0
            elif new_line:
                self._down(continues=False)
                self._column = 0  # the terminal's driver makes it so
            elif letters:
                self._put(letters)
            elif private:
                if arguments == "25":
                    self.cursor_is_shown = code == "h"
            elif code == "A":
                top = max(0, len(self._rows) - self.height)
                self._row = max(top, self._row - int(arguments or 1))
            elif code == "K":
                self._rows[self._row] = self._rows[self._row][: self._column]
            elif code == "J":
                self._erase_below()
            else:
                assert code == "m", match.group()
        return len(text)

    def lines(self) -> list[str]:
        """Return all rows, from the first that ever was, without spaces at their ends."""
        return [row.rstrip() for row in self._rows]

    def resize(self, width: int, height: int) -> None:
        """Change the size, and wrap all rows anew; the cursor stays on its letter."""
        whole: list[str] = []
        for index, (row, continues) in enumerate(zip(self._rows, self._continues, strict=True)):
            if not continues:
                whole.append("")
            if index == self._row:
                line, offset = len(whole) - 1, len(whole[-1]) + self._column
            whole[-1] += row
        self.width, self.height = width, height
        self._rows, self._continues = [], []
        for index, text in enumerate(whole):
            if index == line:
                self._row, self._column = len(self._rows) + offset // width, offset % width
            for start in range(0, max(len(text), 1), width):
                self._rows.append(text[start : start + width])
                self._continues.append(start > 0)
        # What is below the cursor goes first, where rows must go.
        last = max(self._row + 1, min(len(self._rows), self._row + height))
        del self._rows[last:], self._continues[last:]

    def _erase_below(self) -> None:
        if self._column == 0 and self._row == max(0, len(self._rows) - self.height):
            self._rows.append("")  # what fills the whole screen is scrolled off, not erased
            self._continues.append(False)
            self._row = len(self._rows) - 1
        self._rows[self._row :] = [self._rows[self._row][: self._column]]
        self._continues[self._row :] = [self._continues[self._row]]

    def _put(self, letters: str) -> None:
        for letter in letters:
            if self._column == self.width:
                self._down(continues=True)
                self._column = 0
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + letter + row[self._column + 1 :]
            self._column += 1

    def _down(self, *, continues: bool) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append("")
            self._continues.append(continues)
        self._continues[self._row] = continues


def console_on(terminal: Terminal) -> Console:
    """Return rich's console on such a terminal."""
    return Console(
        file=terminal,
        width=terminal.width,
        height=terminal.height,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
        _environ={"TERM": "xterm-256color"},
    )


def resize(terminal: Terminal, console: Console, width: int, height: int) -> None:
    """Make both smaller or larger, as a signal from the window does."""
    terminal.resize(width, height)
    console.size = (width, height)
