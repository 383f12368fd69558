"""The whole loop with each bonus and head: which runs these are, and what is told of them."""

import pytest

from benchmarks.arms import ARMS
from benchmarks.loop import main, parse, plans, table, table_of_shares
from benchmarks.runs import PROJECT
from configs.loading import load_config
from tests.benchmarks.timings import made_up_timing


def test_heads_come_with_the_widths_of_their_own_recipes() -> None:
    found = plans(parse(["--arms", "RND+BYOL", "modified RND+BYOL", "RND+Barlow-Twins"]))
    recipes = {name: plan.recipe.name for name, plan in found.items()}
    assert recipes == {
        "RND": "config_rnd00.conf",
        "RND+BYOL": "config_rnd_byol00.conf",
        "RND+Barlow-Twins": "config_rnd_barlow00.conf",
        "modified RND+BYOL": "config_rnd_byol00.conf",
    }


@pytest.mark.parametrize("game", ["MontezumaRevenge", "Pong", "SuperMarioBros"])
def test_all_arms_can_be_read_in_every_folder_with_the_three_recipes(game: str) -> None:
    folder = PROJECT / "configs" / game
    found = plans(parse(["--recipes", str(folder), "--arms", *ARMS]))
    assert list(found) == list(ARMS)
    configs = {name: load_config(p.recipe, p.settings()).config for name, p in found.items()}
    assert configs["PPO"].intrinsic.kind == "none"
    assert configs["RND+BYOL"].representation.kind == "BYOL"
    assert configs["BYOL-Explore"].intrinsic.kind == "BYOL-Explore"
    assert all(config.intrinsic.warmup_rollouts == 1 for config in configs.values())


def test_environments_are_shared_out_to_ranks_and_settings_of_the_command_line_win() -> None:
    flags = ["--num_envs", "8", "--ranks", "4", "--updates", "5", "--set", "ObsNormStep=3"]
    plan = plans(parse(flags))["RND"]
    assert (plan.num_envs, plan.ranks, plan.updates) == (2, 4, 5)
    assert "ObsNormStep=3" in plan.settings()


def test_ratios_are_taken_turn_by_turn() -> None:
    timings = {
        "PPO": [made_up_timing(800, 500, memory=400), made_up_timing(400, 900, memory=500)],
        "RND": [made_up_timing(400, 1000), made_up_timing(400, 1000)],
    }
    assert table(timings).splitlines()[2:] == [
        "| PPO | 600 [400, 800] | 700 [500, 900] | 1.50 [1.00, 2.00] | 0.70 [0.50, 0.90] | 450 |",
        "| RND | 400 [400, 400] | 1,000 [1,000, 1,000] "
        "| 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] | 500 |",
    ]


def test_shares_of_time_add_up_to_the_whole() -> None:
    line = table_of_shares({"RND": [made_up_timing()] * 3}).splitlines()[-1]
    assert line == "| RND | 40.0 | 10.0 | 40.0 | 5.0 | 0.0 | 5.0 |"


@pytest.mark.parametrize(
    "flags",
    [["--arms", "RNDX"], ["--repeats", "0"], ["--ranks", "0"], ["--num_envs", "3", "--ranks", "2"]],
)
def test_nonsense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)


def test_an_unknown_key_ends_it_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "Nothing=1", "--no_log"]) == 2
    said = capsys.readouterr().err
    assert "Nothing" in said
    assert "turn" not in said
