"""What writing costs: both ways play the same episodes, and the table says what each took."""

from pathlib import Path

import pytest

from benchmarks.collecting import Timing, main, parse, table

RECIPE = """\
[Environment]
EnvType = sprites
EnvID = Sprites-v0
MaxStepPerEpisode = auto
"""


def test_both_ways_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "Tiny" / "collect.conf"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    arguments = ["--no_log", "--recipes", str(recipe), "--repeats", "1"]
    assert main([*arguments, "--episodes", "3", "--max_steps", "8"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| Tiny")]
    assert len(row.split(" | ")) == 8


def test_ratios_are_taken_turn_by_turn() -> None:
    turns = [(Timing(100, 0, 1.0, 2.0), Timing(100, 5000, 2.0, 4.0))]
    row = table({"A": turns}).splitlines()[-1]
    assert row == (
        "| A | 100 [100, 100] | 50 [50, 50] | 0.50 [0.50, 0.50] | 20,000 [20,000, 20,000] | "
        "40,000 [40,000, 40,000] | 0.50 [0.50, 0.50] | 50 [50, 50] |"
    )


def test_numbers_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--episodes", "0"])
    assert "at least 1" in capsys.readouterr().err
