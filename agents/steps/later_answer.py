"""A question to the device whose answer is fetched later."""

import torch
from torch import Tensor


class LaterAnswer:
    """A yes or no on its way from the device.

    Asked at once, a GPU would have to finish all that it was given before, and would then stand
    idle until the next work is prepared. Asked later, the answer has long arrived.

    Args:
        flag: scalar bool on the device; a later assignment to its name does not matter.
    """

    def __init__(self, flag: Tensor) -> None:
        self._value = flag.to("cpu", non_blocking=True)
        self._arrived: torch.cuda.Event | None = None
        if flag.is_cuda:
            self._arrived = torch.cuda.Event()
            self._arrived.record(torch.cuda.current_stream(flag.device))

    def __bool__(self) -> bool:
        """Wait for the answer, not for what the device was given after the question."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return bool(self._value)
