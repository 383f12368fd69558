"""The log: what was printed is there, newest last, and what told nothing is not."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from benchmarks.log import LOG, TITLE, add_log_flag, append_to_log, recording
from benchmarks.runs import PROJECT


def test_header_and_results_are_printed_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "LOG.md"
    recipe = PROJECT / "configs" / "demo_config.conf"
    options = Namespace(num_envs=[16, 64], recipe=recipe, folder=tmp_path, no_log=False)
    with recording("pool", options, ("numpy", "no-such-package"), log) as record:
        record.say("| a | 1 |")
        record.say("| b | 2 |")
    printed, kept = capsys.readouterr().out, log.read_text()
    assert kept.startswith(f"{TITLE}\n## pool, ")
    facts = kept.split("```")[1].strip()
    assert facts in printed
    paths = f"recipe = configs/demo_config.conf, folder = {tmp_path.name}"
    for fact in ("num_envs = [16, 64]", paths, "cores", "Python 3", "numpy 2", "commit"):
        assert fact in facts
    assert "no_log" not in facts
    assert "no-such-package" not in facts
    assert kept.endswith("```\n\n| a | 1 |\n\n| b | 2 |\n")
    assert printed.endswith("| a | 1 |\n\n| b | 2 |\n\n")


def test_the_newest_section_is_the_last(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    append_to_log("## one", log)
    append_to_log("## two", log)
    assert log.read_text() == f"{TITLE}\n## one\n\n## two\n"


def test_a_flag_leaves_the_log_as_it_is(tmp_path: Path) -> None:
    parser = ArgumentParser()
    add_log_flag(parser)
    log = tmp_path / "LOG.md"
    with recording("pool", parser.parse_args(["--no_log"]), (), log) as record:
        record.say("a table")
    assert not log.exists()
    assert parser.parse_args([]).no_log is False
    assert LOG.name == "LOG.md"


def test_a_measurement_that_was_stopped_leaves_what_it_had_said(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    with (  # noqa: PT012 - what is said before the interrupt is the matter
        pytest.raises(KeyboardInterrupt),
        recording("peers", Namespace(), (), log) as record,
    ):
        record.say("half a table")
        raise KeyboardInterrupt
    assert log.read_text().endswith("half a table\n\nEnded early: KeyboardInterrupt.\n")


def test_a_measurement_that_said_nothing_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    with pytest.raises(ValueError, match="no such game"), recording("pool", Namespace(), (), log):
        raise ValueError("no such game")
    assert not log.exists()
