"""Options of the arithmetic side by side: every arm is in the table, nonsense is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from agents.rollout import RolloutBuffer, RolloutShape
from benchmarks.learner.command import ARMS, COMPILED, configurations, main, parse, storage, table
from benchmarks.learner.turns import Cost, Turn
from benchmarks.runs import PROJECT
from configs.errors import ConfigurationError
from tests.benchmarks.recipes import TINY

CELL = re.compile(r"([\d,.]+) \[([\d,.]+), ([\d,.]+)\]")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.conf"
    path.write_text(TINY)
    return path


@pytest.fixture
def _own_threads() -> Iterator[None]:
    """The benchmark sets torch's threads: give back those that there were."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_own_threads")
def test_both_precisions_act_and_learn_and_the_first_is_what_others_are_compared_with(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--recipe", str(recipe), "--num_envs", "3", "--repeats", "1", "--batches", "2"]
    assert main([*flags, "--no_log"]) == 0
    printed = capsys.readouterr().out
    rows = {
        line.split("|")[1].strip(): [cell.groups() for cell in CELL.finditer(line)]
        for line in printed.splitlines()
        if line.startswith("| Precision")
    }
    assert list(rows) == list(ARMS)
    assert all(len(cells) == 6 for cells in rows.values())
    assert {rows[ARMS[0]][2], rows[ARMS[0]][5]} == {("1.00", "1.00", "1.00")}
    for fact in (
        "a batch of 3 observations",
        "A stack from single frames: ",
        "in minibatches of 6",
        "MB at most",
        "torch 2",
    ):
        assert fact in printed


def test_a_rollout_keeps_every_frame_once() -> None:
    shape = RolloutShape(128, 64, 4, (1, 84, 84), torch.uint8, ())
    frames = (128 + 4 + 1) * 64 * 84 * 84 / 1e6  # with those of history, and room for last ones
    assert frames < storage(RolloutBuffer(shape, torch.device("cpu"))) < 1.02 * frames


def test_ratios_are_of_cpu_time_and_taken_turn_by_turn() -> None:
    slow = [Turn(Cost(0.002, 0.004), Cost(4e-4, 8e-4)), Turn(Cost(0.004, 0.004), Cost(2e-4, 8e-4))]
    fast = [Turn(Cost(0.001, 0.003), Cost(1e-4, 2e-4)), Turn(Cost(0.001, 0.003), Cost(1e-4, 2e-4))]
    compiled = [Turn(Cost(0.001, 0.001), None)] * 2
    lines = table({"slow": slow, "fast": fast, "fast" + COMPILED: compiled}).splitlines()
    assert lines[3] == (
        "| fast | 1.0 [1.0, 1.0] | 3.0 [3.0, 3.0] | 0.38 [0.25, 0.50] "
        "| 100 [100, 100] | 200 [200, 200] | 0.38 [0.25, 0.50] |"
    )
    assert lines[4].endswith("| 0.38 [0.25, 0.50] | - | - | - |")


def test_an_arm_is_the_recipe_with_the_settings_of_its_name(recipe: Path) -> None:
    arms = ["Precision=float32", "Precision=bfloat16 HiddenSize=8"]
    configs = configurations(recipe, arms, 3, ["Epoch=2"])
    assert [config.ppo.hidden_size for config in configs.values()] == [4, 8]
    assert [config.run.precision for config in configs.values()] == ["float32", "bfloat16"]
    assert {(config.run.num_envs, config.ppo.epochs) for config in configs.values()} == {(3, 2)}


def test_arms_that_cannot_be_compared_are_refused(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match="differ in size"):
        configurations(recipe, ["NumStep=4", "NumStep=8"], 2, [])
    assert main(["--recipe", str(PROJECT / "configs/demo_config.conf"), "--no_log"]) == 2
    assert "state vectors" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--repeats", "--batches", "--threads", "--num_envs"])
def test_counts_below_one_are_refused(flag: str) -> None:
    with pytest.raises(SystemExit):
        parse([flag, "0"])
