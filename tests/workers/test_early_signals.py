"""A Ctrl-C while the program imports is taken by the handler that comes later."""

import os
import signal
from types import FrameType

from workers.early_signals import delay_interrupts, hear_interrupts


def test_an_early_interrupt_waits_for_the_handler_of_the_run() -> None:
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.getsignal(signal.SIGINT)
    delay_interrupts()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        assert heard == []
        signal.signal(signal.SIGINT, hear)
        hear_interrupts()
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
        hear_interrupts()
