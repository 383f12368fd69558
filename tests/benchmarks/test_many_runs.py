"""Several runs at a time: which are started, what is said of them, how an interrupt ends them."""

import os
from pathlib import Path

import pytest

from benchmarks.many_runs import ManyRuns, Task


def replace_main_py(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "main.py").write_text(script)
    monkeypatch.setattr("benchmarks.runs.PROJECT", folder)


def test_a_failure_ends_its_own_task_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        "import sys\nprint('this is', sys.argv[1])\nsys.exit(4 if sys.argv[1] == 'b1' else 0)\n"
    )
    replace_main_py(tmp_path, monkeypatch, script)
    runs = ManyRuns(tmp_path / "study", parallel=2)
    (tmp_path / "study").mkdir()
    runs.run([Task(name, [[f"{name}1"], [f"{name}2"]]) for name in "abc"])
    assert runs.failed == {"b": 4}
    assert runs.output("a").read_text() == "this is a1\nthis is a2\n"
    assert runs.output("b").read_text() == "this is b1\n"
    printed = capsys.readouterr().out
    assert "b: exit code 4: this is b1" in printed
    assert "a: done" in printed
    assert runs.end() == 1
    assert "1 failed (b); what each said is in" in capsys.readouterr().err


def test_how_long_the_rest_will_take_is_told_from_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_main_py(tmp_path, monkeypatch, "")
    seconds = iter([0.0, 60.0, 120.0, 180.0])
    runs = ManyRuns(tmp_path, parallel=1, clock=lambda: next(seconds))
    runs.run([Task(name, [[]]) for name in "abc"])
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("[1/3, 1m00s, about 2m00s left]")
    assert second.startswith("[2/3, 2m00s, about 1m00s left]")
    assert third.startswith("[3/3, 3m00s]")
    assert runs.end() == 0


def test_an_interrupt_is_passed_on_and_no_further_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_main_py(
        tmp_path,
        monkeypatch,
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(75))\n"
        f"os.kill({os.getpid()}, signal.SIGINT)\n"
        "time.sleep(30)\n",
    )
    with pytest.raises(KeyboardInterrupt):
        ManyRuns(tmp_path, parallel=1).run([Task(name, [[]]) for name in "abc"])
    assert "the runs under way save first" in capsys.readouterr().out
    assert len(list((tmp_path / "output").iterdir())) == 1
