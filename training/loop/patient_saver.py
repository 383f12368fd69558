"""Saving that bears with a disk which is full for a while."""

import logging
from collections.abc import Callable
from pathlib import Path

from configs.errors import StorageError
from training.checkpoints.storage import Payload, Saver

MOST_FAILED_SAVES = 3
_LOG = logging.getLogger(__name__)


class PatientSaver:
    """Saves; a disk that is full now may have room at the next save, so training goes on.

    Args:
        saver: writes the file.
        on_saved: called after each save, with the path.
    """

    def __init__(self, saver: Saver, on_saved: Callable[[Path], None]) -> None:
        self._saver = saver
        self._on_saved = on_saved
        self._failed = 0

    @property
    def has_best(self) -> bool:
        """Whether a best checkpoint lies beside."""
        return self._saver.has_best

    def save(self, payload: Payload, *, is_best: bool, is_last: bool) -> bool:
        """Write `payload`, or say why not; return whether it is written.

        Raises:
            StorageError: at the third failure in a row, or where `is_last`.
        """
        try:
            self._saver.save(payload, is_best=is_best)
        except StorageError as error:
            self._failed += 1
            if is_last or self._failed >= MOST_FAILED_SAVES:
                raise
            _LOG.warning("%s; the next save tries again", error)
            return False
        self._failed = 0
        self._on_saved(self._saver.path)
        return True
