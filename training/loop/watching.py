"""How long a rank may be silent, and what is said of one that is silent for longer."""

import contextlib
import faulthandler
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from agents.steps.adam import told_of_steps
from configs.errors import PeerLostError
from configs.schema import RunSection
from configs.typed import typed
from training.folders.last_word import leave_last_word
from training.ranks.watchdog import GRACE, Watchdog
from training.session import Session


def longest_silence(run: RunSection) -> float:
    """Return the seconds within which a rank makes a step, whatever it waits for."""
    return max(run.collective_timeout, run.step_timeout + run.reset_timeout) + GRACE


def group_timeout(run: RunSection, device: torch.device) -> float:
    """Return the seconds that a collective may take.

    gloo raises an error then. NCCL aborts the process without a word: the watchdog comes first.
    """
    return run.collective_timeout if device.type == "cpu" else longest_silence(run) + 2 * GRACE


@contextmanager
def watched(session: Session, run: RunSection) -> Iterator[Watchdog]:
    """Watch over this rank: its optimiser's steps say that it goes on, as its env steps must."""
    last_words = functools.partial(tell_of_silence, session)
    with (
        Watchdog(longest_silence(run), run.start_timeout, last_words) as watchdog,
        told_of_steps(watchdog.kick),
    ):
        yield watchdog


def tell_of_silence(session: Session, seconds: float) -> None:
    """Say that this rank hangs, and where: on the terminal first, as the disk may be the reason."""
    terminal = sys.__stderr__ or sys.stderr  # the screen in place may have taken the other's
    faulthandler.dump_traceback(terminal)
    where = f"update {session.clock.updates + 1} (after {session.clock.in_words})"
    message = (
        f"rank {session.place.rank} made no progress for {seconds:.0f} seconds in {where}; the "
        f"stacks of its threads are above, the command with {typed('--resume')} continues"
    )
    with contextlib.suppress(OSError):  # it may be gone
        terminal.write(f"error: {message}\n")
        terminal.flush()
    leave_last_word(PeerLostError.exit_code, message)
    session.write_status(PeerLostError.exit_code, message)
    if session.folder is not None:
        with (session.folder.path / f"stacks-rank{session.place.rank}.txt").open("w") as file:
            faulthandler.dump_traceback(file)
