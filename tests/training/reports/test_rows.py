"""What is read of a run's figures: its rows, the steps at which something first held, curves."""

from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from tests.benchmarks.records import Row, leave_rows, row
from training.reports.rows import (
    curve,
    find_run,
    first_score_above,
    mean_reached,
    read_rows,
)


def test_rows_of_a_run_under_way_are_read_but_for_a_torn_last_one(tmp_path: Path) -> None:
    leave_rows(tmp_path, [row(100, 0.0), row(200, 0.5)])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 300, "char')
    assert [found["env_steps"] for found in read_rows(tmp_path)] == [100, 200]


@pytest.mark.parametrize(
    ("text", "words"), [("", "is empty"), ('{"torn', "is empty"), ("no JSON\n", "cannot be read")]
)
def test_figures_that_are_none_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_rows(tmp_path)


def test_a_run_is_found_by_its_name_or_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leave_rows(Path("logs/runs/demo"), [row(1, 0.0)])
    leave_rows(Path("elsewhere/other"), [row(1, 0.0)])
    assert find_run("demo") == Path("logs/runs/demo")
    assert find_run("elsewhere/other") == Path("elsewhere/other")


def test_a_missing_run_is_named_with_the_nearest_or_with_all_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"run 'demo'.*there are none"):
        find_run("demo")
    leave_rows(Path("logs/runs/montezuma"), [row(1, 0.0)])
    with pytest.raises(ConfigurationError, match="did you mean montezuma"):
        find_run("montezum")
    with pytest.raises(ConfigurationError, match="there are montezuma"):
        find_run("xyz")
    with pytest.raises(ConfigurationError) as caught:
        find_run("checkpoints/montezuma.best.ckpt")
    assert str(caught.value) == (
        "checkpoints/montezuma.best.ckpt is a checkpoint: give the name of its run instead"
    )


def test_first_steps_are_those_of_the_first_row_that_holds() -> None:
    rows = [
        {"env_steps": 50, "charts/SPS": 1.0},
        row(100, 0.4, **{"charts/episodes": 99.0}),
        row(200, 0.2),
        row(300, 0.3),
        row(400, 0.1),
    ]
    assert first_score_above(rows, 0.0) == 100
    assert first_score_above(rows, 0.4) is None
    assert mean_reached(rows, lambda mean: mean >= 0.3) == 300
    assert mean_reached(rows, lambda mean: mean > 0.3) is None


def test_a_curve_leaves_out_rows_without_a_number() -> None:
    rows: list[Row] = [{"env_steps": 1}, {"env_steps": 2, "x": None}, {"env_steps": 3, "x": 0.5}]
    steps, values = curve(rows, "x")
    assert (steps.tolist(), values.tolist()) == ([3.0], [0.5])
    assert curve(rows, "y")[0].shape == (0,)
