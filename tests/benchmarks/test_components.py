"""The costs of an update: every arm is in the table, its ratios are taken turn by turn."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.arms import ARMS, BASELINE
from benchmarks.components import Turn, configurations, main, parse, table
from benchmarks.runs import PROJECT
from configs.errors import ConfigurationError
from tests.benchmarks.recipes import TINY

CELL = re.compile(r"([\d,.]+) \[([\d,.]+), ([\d,.]+)\]")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe whose update takes milliseconds."""
    path = tmp_path / "tiny.conf"
    path.write_text(TINY)
    return path


@pytest.fixture
def _own_threads() -> Iterator[None]:
    """The benchmark sets torch's threads: give back those that there were."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def rows_of(printed: str) -> dict[str, list[tuple[float, ...]]]:
    """Each arm's cells as (median, least, most)."""
    lines = [line for line in printed.splitlines() if line.startswith("| ")][1:]
    return {
        line.split("|")[1].strip(): [
            tuple(float(number.replace(",", "")) for number in cell.groups())
            for cell in CELL.finditer(line)
        ]
        for line in lines
    }


@pytest.mark.usefixtures("_own_threads")
def test_the_table_has_a_row_with_ratios_above_zero_for_every_arm(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--recipe", str(recipe), "--repeats", "1", "--no_log"]) == 0
    printed = capsys.readouterr().out
    rows = rows_of(printed)
    assert list(rows) == list(ARMS)
    for cells in rows.values():
        assert len(cells) == 4
        assert all(0 < low <= middle <= high for middle, low, high in cells)
    assert rows[BASELINE][2:] == [(1.0, 1.0, 1.0)] * 2
    for fact in ("repeats = 1", "cores", "torch 2", "commit", "4 steps x 2 environments"):
        assert fact in printed


@pytest.mark.usefixtures("_own_threads")
def test_some_arms_may_be_chosen_and_rnd_is_always_one(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--recipe", str(recipe), "--repeats", "1", "--num_envs", "3", "--set", "NumStep=2"]
    assert main([*flags, "--arms", "SND", "--no_log"]) == 0
    printed = capsys.readouterr().out
    assert list(rows_of(printed)) == ["RND", "SND"]
    assert "2 steps x 3 environments" in printed


def test_ratios_are_taken_turn_by_turn() -> None:
    turns = {"RND": [Turn(100.0, 10.0), Turn(200.0, 40.0)], "SND": [Turn(150.0, 30.0)] * 2}
    assert table(turns).splitlines()[2:] == [
        "| RND | 150 [100, 200] | 25 [10, 40] | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |",
        "| SND | 150 [150, 150] | 30 [30, 30] | 1.12 [0.75, 1.50] | 1.88 [0.75, 3.00] |",
    ]


def test_arms_differ_in_what_their_names_tell_alone() -> None:
    recipe = PROJECT / "configs/MiniGrid/config_modified_rnd_byol00.conf"
    configs = configurations(recipe, list(ARMS), None, [])
    told = {
        name: (
            config.intrinsic.kind,
            config.intrinsic.rnd_input,
            config.representation.kind,
            config.representation.share,
        )
        for name, config in configs.items()
    }
    assert told == {
        "PPO": ("none", "pixels", "None", 1.0),
        "RND": ("RND", "pixels", "None", 1.0),
        "RND+BYOL": ("RND", "pixels", "BYOL", 1.0),
        "RND+BYOL, half": ("RND", "pixels", "BYOL", 0.5),
        "RND+Barlow-Twins": ("RND", "pixels", "Barlow-Twins", 1.0),
        "RND+Barlow-Twins, half": ("RND", "pixels", "Barlow-Twins", 0.5),
        "modified RND": ("RND", "features", "None", 1.0),
        "modified RND+BYOL": ("RND", "features", "BYOL", 1.0),
        "DRND": ("DRND", "pixels", "None", 1.0),
        "SND": ("SND", "pixels", "None", 1.0),
        "BYOL-Explore": ("BYOL-Explore", "pixels", "None", 1.0),
    }
    baseline = configs[BASELINE]
    for config in configs.values():
        assert (config.environment, config.ppo, config.run) == (
            baseline.environment,
            baseline.ppo,
            baseline.run,
        )


def test_a_recipe_of_state_vectors_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = PROJECT / "configs/demo_config.conf"
    with pytest.raises(ConfigurationError, match="state vectors"):
        configurations(recipe, ["RND"], None, [])
    assert main(["--recipe", str(recipe), "--no_log"]) == 2
    assert "set ObservationType = pixels" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--arms", "RNDX"], ["--repeats", "0"], ["--threads", "0"]])
def test_nonsense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
