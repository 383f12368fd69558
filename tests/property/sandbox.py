"""main.py in this process, watched: what it says, how it ends, and every file it touches."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from tests.faults.figures import IS_FULL, count
from tests.runs import run_here

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.mkfifo", "os.mknod", "shutil.rmtree", "shutil.move"),
}
HARMLESS = ("/dev/", "/proc/")

_touched: list[str] | None = None


def examples(few: int, full: int = 2000) -> settings:
    """Return how many inputs are tried: `few`, always the same, or `full` by `make test_faults`."""
    return settings(
        max_examples=count(few, full),
        derandomize=not IS_FULL,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code.
        said: what it wrote to standard error.
        touched: the files and folders that it made, wrote, renamed or removed.
    """

    code: int
    said: str
    touched: tuple[str, ...]

    @property
    def message(self) -> str:
        """The one message, without the word in front of it."""
        for beginning in ("error: ", "main.py: "):
            before, found, after = self.said.partition(beginning)
            if found:
                assert before == "", before
                assert (
                    f"\n{beginning}" not in after
                )  # a message may hold the word: it quotes its reader
                return after.rstrip("\n")
        raise AssertionError(f"no message in {self.said!r}")

    def outside(self, *folders: Path) -> list[str]:
        """Return what was touched outside of `folders`."""
        allowed = tuple(f"{folder}{os.sep}" for folder in folders)
        return [path for path in self.touched if not f"{path}{os.sep}".startswith(allowed)]


def run(folder: Path, *arguments: str) -> Ended:
    """Run main.py's `main` in `folder`, as the operating system would pass the arguments on.

    A traceback is an exception here, and fails the test by itself.
    """
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # as strict as a terminal
    err_bytes = io.BytesIO()
    err = io.TextIOWrapper(err_bytes, encoding="utf-8", errors="backslashreplace")
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _watched() as touched,
    ):
        try:
            code = run_here(folder, *arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    err.flush()
    said = err_bytes.getvalue().decode()
    return Ended(code, said, tuple(touched))


@contextlib.contextmanager
def _watched() -> Iterator[list[str]]:
    global _touched  # noqa: PLW0603 - an audit hook cannot be removed, only silenced
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    touched: list[str] = []
    _touched = touched
    try:
        yield touched
    finally:
        _touched = None
        sys.dont_write_bytecode = bytecode


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _touched is None:
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not (flags or 0) & WRITES:
            return
        _note(path)
    elif event in CHANGES:
        for path in arguments:
            if isinstance(path, str | bytes | os.PathLike):
                _note(path)


def _note(path: str | bytes | os.PathLike[str]) -> None:
    absolute = os.path.abspath(os.fsdecode(path))
    if _touched is not None and not absolute.startswith(HARMLESS):
        _touched.append(absolute)


sys.addaudithook(_audit)
