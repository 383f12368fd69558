"""What two threads that use torch at once must keep apart."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


def learning_thread(device: torch.device) -> ThreadPoolExecutor:
    """Return a thread that computes as this one does: with as many threads, on the same device."""
    num_threads = torch.get_num_threads()

    def begin() -> None:
        torch.set_num_threads(num_threads)
        if device.type == "cuda":
            torch.cuda.set_device(device)

    return ThreadPoolExecutor(1, "learning", begin)


class SideStream:
    """A stream of high priority on a GPU; nothing on the CPU.

    Args:
        device: this rank's device.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device, priority=-1) if device.type == "cuda" else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Compute there: after what the main stream was given before, and before what comes."""
        if self._stream is None:
            yield
            return
        main = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)


@contextmanager
def kept_casts(device: torch.device) -> Iterator[None]:
    """Leave autocast's store of cast weights alone until the end.

    All threads share it, and it is emptied where a thread leaves its outermost autocast: that of
    the acting thread would make the sums of the learning one's gradients depend on the moment.
    """
    with torch.autocast(device.type, enabled=False):
        yield
