"""The figures that the tests of this folder reach are printed at the session's end."""

import pytest

from tests.faults.figures import Figures

_FIGURES = Figures()


@pytest.fixture(scope="session")
def figures() -> Figures:
    return _FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = _FIGURES.lines()
    if lines:
        terminalreporter.section("faults, by the row of docs/reliability.md")
        for line in lines:
            terminalreporter.write_line(line)
