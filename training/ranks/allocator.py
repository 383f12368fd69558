"""Memory that torch gives back on the CPU is kept for its next use.

By default glibc maps every block above 32 MB anew and hands it back at once, so that the large
layers of each minibatch fault their pages in again: a quarter of the time of an update in float32.
"""

import ctypes
from contextlib import suppress

LARGEST = 2**31 - 1  # what mallopt's int can say
MAPPED_ALONE = 2**30  # bytes from which a block is mapped by itself
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def keep_freed_memory() -> None:
    """Tell the C library's allocator to keep what is freed; other libraries than glibc ignore it.

    The process then holds the most that it ever used at once.
    """
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, MAPPED_ALONE)
        mallopt(_M_TRIM_THRESHOLD, LARGEST)
