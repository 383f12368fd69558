"""What is said when memory runs out, on the CPU or on a GPU."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import StorageError
from workers.processes.free_memory import available_memory

REFUSED = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
WANTED = re.compile(r"[Tt]ried to allocate [\d.]+ \w+")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's and Python's errors about memory into a StorageError with what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not REFUSED.search(str(error)):
            raise
        wanted = WANTED.search(str(error))
        raise StorageError(
            f"out of memory ({wanted[0].lower() if wanted else type(error).__name__}; "
            f"{available_memory():,} bytes of main memory are free): lower NumEnv, NumStep or the "
            "widths of the networks"
        ) from error
