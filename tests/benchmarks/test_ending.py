"""How studies end, and what they make of a command line."""

import signal
from collections.abc import Iterator

import pytest

from benchmarks.ending import INTERRUPTED, Once, Parser, goes_on
from benchmarks.stopping import STOP_SIGNALS


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def hung_up() -> int:
    signal.raise_signal(signal.SIGHUP)
    return 0


def test_a_closed_terminal_interrupts_a_study_but_not_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert goes_on(hung_up) == INTERRUPTED
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert goes_on(hung_up) == 0


def test_a_value_that_is_typed_twice_counts_once() -> None:
    parser = Parser()
    parser.add_argument("--seeds", type=int, nargs="+", action=Once, default=[1, 2])
    assert parser.parse_args(["--seeds", "3", "1", "3"]).seeds == [3, 1]
    assert parser.parse_args([]).seeds == [1, 2]
