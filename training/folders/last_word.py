"""The last word of a process, for whoever started it and speaks after it."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from configs.errors import PeerLostError
from training.folders.files import read_json

LAST_WORD = "SCOUT_LAST_WORD"  # an environment variable: the file in which make looks for it
TORCHRUN_FILE = "TORCHELASTIC_ERROR_FILE"  # torchrun shows what a failed rank left there


def leave_last_word(code: int, text: str) -> None:
    """Hand the exit code and the sentence to make and to torchrun, where they wait for it.

    A rank that lost its peer does not overwrite the word of the one that failed. A disk that takes
    nothing costs the word alone: it is also on the terminal.
    """
    with contextlib.suppress(OSError):
        file = os.environ.get(LAST_WORD)
        if file and not (code == PeerLostError.exit_code and read_last_word(Path(file))):
            Path(file).write_text(json.dumps({"code": code, "text": text}), encoding="utf-8")
        page = os.environ.get(TORCHRUN_FILE)
        if page and code:
            seconds = {"timestamp": str(int(time.time()))}
            message = {"message": {"message": text, "extraInfo": seconds}}
            Path(page).write_text(json.dumps(message), encoding="utf-8")


def read_last_word(file: Path) -> dict[str, Any] | None:
    """Return what was left there: its `code` and its `text`; None where nothing was."""
    return read_json(file)
