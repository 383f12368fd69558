"""Runs that ended without a word: killed by the kernel or by hand, or gone with their machine.

Nobody can speak for them at that moment. Whoever looks next sees that the lock's holder is gone.
"""

import logging
from pathlib import Path

from training.folders.files import read_json
from training.folders.lock import holder_is_gone
from training.folders.run_folder import LOCK_FILE, RunFolder

LOST = "died without a word: killed, perhaps for want of memory, or with its machine"


def note_lost(root: Path, name: str, reason: str = LOST, code: int | None = None) -> bool:
    """Write into a run's status that it is over, where it could not say so itself.

    Args:
        root: what holds the folder of runs.
        name: the run.
        reason: what is known of its end.
        code: its exit code, as far as that is known.

    Returns:
        whether it was so: its status says that it is under way, and its lock's holder is gone.

    Raises:
        StorageError: the status cannot be written.
    """
    run = RunFolder(root, name)
    status = run.read_status()
    lock = run.path / LOCK_FILE
    if status is None or status.get("code") is not None:
        return False
    if read_json(lock) is None or not holder_is_gone(lock):
        return False
    saved = status.get("checkpoint")
    run.write_status(
        code,
        reason,
        rank=status.get("rank", 0),
        update=status.get("update", 0),
        env_steps=status.get("env_steps", 0),
        checkpoint=Path(saved) if saved else None,
    )
    return True


def warn_of_loss(run: RunFolder) -> None:
    """Say that the run that goes on was lost before, where it left no word of its own."""
    if run.was_left_open:
        logging.getLogger(__name__).warning(
            "run %r %s; what came after its last save is done again", run.name, LOST
        )
