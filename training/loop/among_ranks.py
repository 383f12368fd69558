"""A training among its ranks, from the first greeting to the word that is left of its end."""

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from configs.errors import ScoutError
from configs.schema import RunSection
from training.folders.last_word import leave_last_word
from training.loop.last_words import full_disk_errors, leave_unbegun, leave_word
from training.loop.stop_request import StopRequest
from training.loop.watching import group_timeout
from training.ranks.distributed import peer_errors, process_group
from training.ranks.memory import memory_errors
from training.session import Session


@contextmanager
def among_ranks(session: Session, run: RunSection, stop: StopRequest) -> Iterator[None]:
    """Wait for all ranks, and be one of them within the block.

    A signal while it waits ends the process. Faults of peers, of memory and of the disk become
    errors in words, and the first word on any error is left in the run's status.

    Raises:
        ScoutError: the ranks do not come, or what the block raised, in words.
    """
    place, device = session.place, session.device
    timeout = group_timeout(run, device)
    try:
        with ExitStack() as stack:
            with stop.leaving_at_once(functools.partial(leave_unbegun, place)):
                elsewhere = stack.enter_context(
                    process_group(place, device, run.start_timeout, timeout)
                )
            stack.enter_context(peer_errors(place, elsewhere))
            stack.enter_context(memory_errors())
            stack.enter_context(full_disk_errors(session))
            yield
    except ScoutError as error:
        if not error.repeated:
            leave_word(session, error.exit_code, str(error))
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        leave_last_word(1, reason)
        leave_word(session, 1, reason)
        raise
