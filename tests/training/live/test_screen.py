"""The screen in place on a terminal that wraps and scrolls."""

import sys

import pytest

from tests.training.live.terminals import Terminal, console_on, resize
from tests.training.live.views import view
from training.live.screen import Screen


def test_a_drawing_takes_the_place_of_the_last_one() -> None:
    terminal = Terminal(80, 24)
    screen = Screen(console_on(terminal))
    screen.draw(view(env_steps=1000))
    before = terminal.lines()
    for _ in range(20):
        screen.draw(view(env_steps=2000))
    screen.close()
    assert len(terminal.lines()) == len(before)  # the empty row above is now the cursor's below
    assert sum("env steps" in line for line in terminal.lines()) == 1
    assert any("2000 of" in line for line in terminal.lines())
    assert terminal.cursor_is_shown


def test_lines_that_are_printed_meanwhile_stand_above_it_and_stay() -> None:
    terminal = Terminal(80, 24)
    console = console_on(terminal)
    screen = Screen(console)
    for number in range(10):
        screen.draw(view())
        console.print(f"line {number} " + "x" * 100, soft_wrap=True)
        print(f"printed {number}")
        print(f"warned {number}", file=sys.stderr)
    screen.close()
    lines = terminal.lines()
    assert sum("of 492M env steps" in line for line in lines) == 1
    found = [line.split(" x")[0] for line in lines if line.startswith(("line", "printed", "warn"))]
    expected = [f"{word} {n}" for n in range(10) for word in ("line", "printed", "warned")]
    assert found == expected


@pytest.mark.parametrize("width", [79, 60, 41, 30, 120])
def test_a_terminal_that_changes_its_width_keeps_one_screen(width: int) -> None:
    terminal = Terminal(80, 60)
    console = console_on(terminal)
    screen = Screen(console)
    console.print("before")
    screen.draw(view())
    resize(terminal, console, width, 60)
    screen.draw(view())
    console.print("after")
    screen.close()
    lines = terminal.lines()
    assert lines[:2] == ["before", "after"]
    assert sum("492M" in line for line in lines) == 1
    assert sum(bool(line) for line in lines) <= 22


def test_a_line_printed_just_after_the_change_does_not_tear_the_screen() -> None:
    terminal = Terminal(100, 60)
    console = console_on(terminal)
    screen = Screen(console)
    screen.draw(view())
    resize(terminal, console, 70, 60)
    console.print("first")
    screen.draw(view())
    screen.close()
    assert terminal.lines()[0] == "first"
    assert sum("492M" in line for line in terminal.lines()) == 1


def test_what_other_processes_write_is_never_overwritten() -> None:
    terminal = Terminal(80, 24)
    screen = Screen(console_on(terminal))
    for number in range(10):
        screen.draw(view())
        terminal.write(f"other {number}, first line\n")
        terminal.write(f"other {number}, second line\n")
    screen.draw(view())
    terminal.write("^C")
    screen.close()
    lines = terminal.lines()
    assert sum("492M" in line for line in lines) == 1
    expected = [f"other {n}, {word} line" for n in range(10) for word in ("first", "second")]
    assert [line.partition(" line")[0] + " line" for line in lines[:20]] == expected
    assert lines[20].startswith("Montezuma_rnd00")


def test_a_terminal_that_becomes_lower_gets_a_smaller_screen() -> None:
    terminal = Terminal(80, 30)
    console = console_on(terminal)
    screen = Screen(console)
    screen.draw(view(num_ranks=2))
    resize(terminal, console, 80, 10)
    for _ in range(5):
        screen.draw(view(num_ranks=2))
    screen.close()
    assert "492M" in "\n".join(terminal.lines()[-10:])
    assert sum("492M" in line for line in terminal.lines()) == 1
