"""How studies end, and what they make of a command line."""

import signal
from collections.abc import Callable, Iterator

import pytest

from benchmarks.ending import INTERRUPTED, Once, Parser, goes_on
from benchmarks.sprites_study import command as sprites_study
from benchmarks.stopping import STOP_SIGNALS
from benchmarks.study import command as study
from benchmarks.td3_study import command as td3_study


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


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--env_step", "20"], "unknown argument --env_step; did you mean --env_steps?"),
        (["--env_step=20"], "unknown argument --env_step; did you mean --env_steps?"),
        (["--env_steps", "20", "30"], "unknown argument 30 ("),
    ],
)
def test_of_an_unknown_flag_the_nearest_is_told(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser()
    parser.add_argument("--env_steps", type=int)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(typed)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("parse", [study.parse, sprites_study.parse, td3_study.parse])
def test_every_flag_of_a_study_has_a_help_text(
    parse: Callable[[list[str]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    without: list[str] = []

    def look(self: Parser, *args: object) -> None:
        without.extend(each.dest for each in self._actions if not each.help)

    monkeypatch.setattr(Parser, "print_help", look)
    with pytest.raises(SystemExit):
        parse(["-h"])
    assert without == []
