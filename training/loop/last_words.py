"""The last words of a run: in its folder, on the terminal, and for whoever speaks after it."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator

from configs.errors import STOPPED_EXIT_CODE, FullDiskError, StorageError
from configs.typed import typed
from training.folders.last_word import leave_last_word
from training.live.console import final_message
from training.loop.stop_request import StopRequest
from training.loop.trainer import Outcome
from training.ranks.distributed import Place
from training.session import Session

_LOG = logging.getLogger(__name__)


def leave_word(session: Session, code: int, reason: str) -> None:
    """Leave the last word of a run that failed; a full disk must not take the reason's place."""
    try:
        session.write_status(code, reason)
    except StorageError as error:
        _LOG.warning("%s", error)


@contextlib.contextmanager
def full_disk_errors(session: Session) -> Iterator[None]:
    """Say of a disk without room how the run goes on, or begins anew, once there is some."""
    try:
        yield
    except FullDiskError as error:
        # Only the first rank knows what was saved, and only once the run's name is settled.
        begun = session.folder is not None and session.place.rank == 0
        then = "begins anew" if begun and not _has_saved(session) else "goes on"
        error.args = (f"{error}, then the same command with {typed('--resume')} {then}",)
        raise


def _has_saved(session: Session) -> bool:
    """Whether --resume finds a checkpoint of this run; that of another one is none."""
    return session.last_checkpoint is not None or session.is_resumed


def say_how_it_ended(
    session: Session, outcome: Outcome, stop: StopRequest, *, workers_replaced: int = 0
) -> None:
    """Say, on rank 0, that a run is done, or was stopped and how it goes on.

    `workers_replaced` on all ranks since this start: what was said of each is long out of sight.
    """
    saved, source = session.last_checkpoint, session.source
    before = "nothing to save yet" if source is None else f"nothing new to save since {source}"
    where = before if saved is None else f"saved to {saved}"
    where += _of_workers(session, workers_replaced)
    steps = session.clock.in_words
    if outcome is Outcome.DONE:
        session.write_status(0, "done")
        _say_last(0, f"done: {steps}; {where}")
        return
    reason = stop.signal_name or "a stop was asked for on another rank"
    session.write_status(STOPPED_EXIT_CODE, f"stopped on request ({reason})")
    then = "continues" if _has_saved(session) else "begins anew"
    _say_last(
        STOPPED_EXIT_CODE,
        f"stopped on request ({reason}) at {steps}; {where}; "
        f"the same command with {typed('--resume')} {then}",
    )


def _of_workers(session: Session, replaced: int) -> str:
    if replaced == 0 or session.folder is None:
        return ""
    workers = "worker was" if replaced == 1 else "workers were"
    rows = session.folder.path / "metrics.jsonl"
    return f"; {replaced:,} lost {workers} replaced, see the warnings above and {rows}"


def _say_last(code: int, text: str) -> None:
    leave_last_word(code, text)
    final_message(text)


def leave_unbegun(place: Place, signal_name: str) -> None:
    """End at once: the ranks still wait for each other, in C, and there is nothing to save."""
    if place.local_rank == 0:
        text = f"stopped on request ({signal_name}) before all ranks had come; nothing was begun"
        leave_last_word(STOPPED_EXIT_CODE, text)
        _write_plainly(text)
    os._exit(STOPPED_EXIT_CODE)


def say_it_ends_now(session: Session, signal_name: str) -> None:
    """Leave the last word of a run that a second signal ends, wherever it is."""
    code = 128 + signal.Signals[signal_name]
    text = f"ended at once by a second {signal_name}; what came after the last save is lost"
    if session.place.local_rank == 0:
        leave_last_word(code, text)
        _write_plainly(text)
    leave_word(session, code, text)


def _write_plainly(text: str) -> None:
    """Print without the console, which the main thread may hold."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(sys.stderr.fileno(), f"\n{text}\n".encode())
