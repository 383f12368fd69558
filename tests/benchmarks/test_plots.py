"""Pictures of runs side by side, and what is said where there is nothing to draw."""

import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks.drawing import KEY_HEIGHT
from benchmarks.plots import main
from tests.benchmarks.records import leave_rows, row

matplotlib_figure = pytest.importorskip(
    "matplotlib.figure", reason="matplotlib is not installed (requirements-study.txt)"
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def leave_run(name: str, **more: Any) -> None:
    rows = [row(1000 * number, number / 10, **more) for number in range(1, 6)]
    leave_rows(Path("logs/runs") / name, rows)


def size_of(path: Path) -> tuple[int, int]:
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 1
    height, width, _ = picture.shape
    return height, width


def test_runs_are_drawn_side_by_side_with_a_panel_for_each_figure_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_run("plain")
    leave_run("full", **{"intrinsic/mean": 0.1, "charts/rooms": 2.0, "time/fps": 900.0})
    assert main(["plain", "--out", "one.png"]) == 0
    assert main(["plain", "full", "--out", "pictures/four.png"]) == 0
    assert "picture: pictures/four.png" in capsys.readouterr().out
    height, width = size_of(Path("one.png"))
    key = round(120 * KEY_HEIGHT)  # there is one, whatever the panels
    assert size_of(Path("pictures/four.png")) == (2 * height - key, 2 * width)


def test_a_missing_run_ends_with_its_name_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_run("demo")
    assert main(["demo", "dem0"]) == 2
    assert "run 'dem0'" in capsys.readouterr().err


def test_runs_without_any_figure_to_draw_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    leave_rows(Path("logs/runs/young"), [{"env_steps": 5}])
    assert main(["young"]) == 2
    assert "nothing to draw yet in young" in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_is_a_storage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_run("demo")
    Path("file").write_text("")
    assert main(["demo", "--out", "file/plot.png"]) == 7
    assert "file/plot.png" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_run("demo")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["demo"]) == 2
    assert "pip install -r requirements-study.txt" in capsys.readouterr().err
