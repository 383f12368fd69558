"""What is printed around the state of a run: a start table, log records, and a last word."""

import logging
from collections.abc import Sequence

import rich
from rich.table import Table
from rich.text import Text

from training.live.plain import print_line


def set_up_logging(rank: int, world_size: int, *, verbose: bool) -> None:
    """Print log records above the screen in place, with the rank where there are several."""
    handler = ConsoleLogHandler()
    prefix = f"[rank {rank}] " if world_size > 1 else ""
    handler.setFormatter(logging.Formatter(f"{prefix}%(levelname)s: %(message)s"))
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, handlers=[handler])
    for noisy in ("torch", "tensorboard", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class ConsoleLogHandler(logging.Handler):
    """Prints log records above the state instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record; never raise into the code that logged."""
        try:
            print_line(rich.get_console(), self.format(record))
        except (OSError, ValueError):
            self.handleError(record)


def start_banner(rows: Sequence[tuple[str, str]], first_words: str = "") -> None:
    """Print what the run is about to do as a table of names and values, below some words."""
    console = rich.get_console()
    if first_words:
        print_line(console, first_words)
    if not console.is_terminal:  # a file has no edge to wrap at
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            print_line(console, f"{name:<{width}}  {value}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    console.print(table)


def final_message(text: str) -> None:
    """Print the run's last word."""
    print_line(rich.get_console(), text)
