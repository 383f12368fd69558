"""What a memory costs: every arm acts and learns, and ratios are taken turn by turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.policy_memory import ARMS, Turn, main, table
from tests.benchmarks.test_components import rows_of
from tests.runs import CARTPOLE


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    """The benchmark sets torch's threads: give back those that there were."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_every_arm_has_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "tiny.conf"
    recipe.write_text(CARTPOLE)
    assert main(["--recipe", str(recipe), "--repeats", "2", "--no_log"]) == 0
    printed = capsys.readouterr().out
    rows = rows_of(printed)
    assert list(rows) == list(ARMS)
    for cells in rows.values():
        assert all(0 < low <= middle <= high for middle, low, high in cells)
    assert rows["none"][2] == (1.0, 1.0, 1.0)
    assert "CartPole-v1, 16 steps x 2 environments" in printed


def test_ratios_are_of_the_whole_update_turn_by_turn() -> None:
    rows = rows_of(
        table({"none": [Turn(1.0, 3.0), Turn(2.0, 2.0)], "GRU": [Turn(4.0, 4.0), Turn(1.0, 11.0)]})
    )
    assert rows["GRU"][2] == (2.5, 2.0, 3.0)


def test_a_recipe_that_cannot_have_a_memory_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.conf"
    recipe.write_text(CARTPOLE.replace("MiniBatch = 2", "MiniBatch = 3"))
    assert main(["--recipe", str(recipe), "--no_log"]) == 2
    assert "PolicyMemory = GRU with NumEnv = 2 and MiniBatch = 3" in capsys.readouterr().err
