"""Documents: JSON files that carry a digest of themselves, so that any changed bit shows."""

import hashlib
import json
from pathlib import Path
from typing import Any

from configs.errors import DatasetError
from configs.reading import printable
from trajectories.fields import Fields

FORMAT = 1  # of everything in a dataset's folder; a larger one is a later Scout's


class NewerFormatError(DatasetError):
    """A dataset of a later Scout: whole, and not ours to judge or mend."""


def dump_document(content: dict[str, Any]) -> bytes:
    """Return a document's bytes: `content`, the format's version and the digest of both.

    Raises:
        ValueError: it holds what JSON does not, such as infinity.
    """
    document = {"content": content, "format": FORMAT}
    return _bytes_of({**document, "sha256": _digest(document)})


def read_document(path: Path) -> Fields:
    """Return the content of a document.

    Raises:
        NewerFormatError: it is a later Scout's.
        DatasetError: it cannot be read, has changed or is no document.
    """
    try:
        return parse_document(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise DatasetError(f"{path}: is missing") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error


def parse_document(data: bytes, place: str) -> Fields:
    """Return the content of a document from its bytes; `place` names it in messages.

    Raises:
        DatasetError: as of `read_document`.
    """
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        reason = printable(str(error))
        raise DatasetError(f"{place}: is no JSON, so it was damaged: {reason}") from error
    fields = Fields(document, place)
    version, digest = fields.whole("format"), fields.text("sha256")
    try:
        # Any other spelling of the same content is a change, too.
        is_whole = data == _bytes_of(document) and digest == _digest(document)
    except (ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise DatasetError(f"{place}: was changed or damaged: its digest does not match")
    if version > FORMAT:
        raise NewerFormatError(
            f"{place}: is of format {version}; this Scout knows those up to {FORMAT}: "
            "use a newer one"
        )
    return fields.within("content", place)


def _bytes_of(document: Any) -> bytes:
    return (_spelled(document, indent=1) + "\n").encode()


def _digest(document: dict[str, Any]) -> str:
    told = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(_spelled(told).encode()).hexdigest()


def _spelled(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)
