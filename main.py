"""Scout's command line: parse, choose the verb, say how it ended. The verbs are in commands/.

Worker processes are spawned and run this file's top level again: it imports nothing heavy.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from commands.missing_package import is_requirement, what_is_missing
from commands.one_voice import is_first_of_node, let_the_first_speak, say_last
from commands.verbs import build_parser, checked_verb

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    verb = checked_verb(parser, args)
    from workers.processes.parent import die_with_torchrun  # noqa: PLC0415 - not needed by -h

    die_with_torchrun()
    # Threads that wait for each other by spinning starve beside a busy neighbour: ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from configs.errors import ConfigurationError, Interrupted, ScoutError  # noqa: PLC0415

    try:
        return verb.run(args)
    except ScoutError as error:
        # What every process of a node finds in the same way is said once.
        if isinstance(error, ConfigurationError) and not is_first_of_node():
            let_the_first_speak()
        elif not error.repeated:
            say_last(error.exit_code, f"error: {error}")
        return error.exit_code
    except ModuleNotFoundError as error:
        if not is_requirement(error.name or ""):
            raise
        if not is_first_of_node():
            let_the_first_speak()
        else:
            say_last(2, f"error: {what_is_missing(error)}")
        return 2
    except KeyboardInterrupt as error:
        by = error.signal if isinstance(error, Interrupted) else signal.SIGINT
        if is_first_of_node():
            say_last(128 + by, f"interrupted ({by.name}); what was written before is whole")
        return 128 + by


def leave(code: int) -> "NoReturn":
    """End the process at once: taking down torch's threads aborts now and then (SIGABRT).

    A profiler that runs this file needs the ordinary way out.
    """
    program = next((word for word in sys.orig_argv[1:] if not word.startswith("-")), "")
    if Path(program).name != Path(__file__).name:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the disk is full, which was said where there was room
            stream.flush()
    os._exit(code)


def run_as_program() -> "NoReturn":
    """Run the command line to its end, also where the terminal is closed meanwhile."""
    from workers.processes.lost_terminal import OutputError, outlive_terminal  # noqa: PLC0415

    outlive_terminal()
    try:
        code = main()
    except SystemExit as end:  # after help, or one line on the command line
        code = int(end.code or 0)
    except OutputError as error:  # of help
        code = error.exit_code
        say_last(code, f"error: {error}")
    leave(code)


if __name__ == "__main__":
    run_as_program()
