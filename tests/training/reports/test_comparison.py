"""The page of several runs: groups over seeds, their figures, what tells them apart."""

from pathlib import Path

import numpy as np

from tests.training.reports.left_runs import (
    CMA_ES,
    TD3,
    leave_evaluation,
    leave_run,
    leave_visits,
    rows,
)
from tests.training.reports.parsing import Page, read_page
from training.reports.intervals import bootstrap_interval
from training.reports.numbers import number_text
from training.reports.writing import write_reports

PAGE = Path("logs/page.html")


def compare(*names: str) -> Page:
    assert write_reports(names, PAGE) == 0
    return read_page(PAGE)


def leave_two_groups() -> None:
    for seed in range(1, 6):
        leave_run(f"with_seed{seed}", rows([0.0, 2.0 * seed, 3.0 * seed]), seed=seed)
    for seed in range(1, 3):
        leave_run(
            f"without_seed{seed}",
            rows([0.0, 0.0, 0.0, 1.0]),
            seed=seed,
            settings=("IntrinsicReward=none",),
        )


def test_runs_that_differ_in_their_seed_alone_are_one_group() -> None:
    leave_two_groups()
    page = compare(*(f"with_seed{n}" for n in range(1, 6)), "without_seed1", "without_seed2")
    table = page.table("group")
    assert {name: (row["runs"], row["seeds"]) for name, row in table.items()} == {
        "with": ("5", "1, 2, 3, 4, 5"),
        "without": ("2", "1, 2"),
    }
    assert page.table("run")["with_seed4"]["group"] == "with"


def test_scores_are_the_iqm_and_its_interval_where_the_shortest_run_ended() -> None:
    leave_two_groups()
    page = compare(*(f"with_seed{n}" for n in range(1, 6)), "without_seed1", "without_seed2")
    table = page.table("group")
    scores = np.array([3.0, 6.0, 9.0, 12.0, 15.0])
    low, high = bootstrap_interval([scores])
    column = "return at 3,000 env steps"
    assert table["with"][column] == f"9 [{number_text(float(low))}, {number_text(float(high))}]"
    assert table["without"][column] == "0 [0, 0]"
    assert table["without"]["return at each run's end"] == "1 [1, 1]"
    means = [(2.0 * seed / 2 + 5.0 * seed / 2) / 2 for seed in range(1, 6)]  # areas of trapezia
    assert table["with"]["mean return until then"].startswith(number_text(means[2]))


def test_the_actions_of_each_agent_are_told() -> None:
    leave_run("a")
    leave_run("b", settings=("Gamma=0.9",))
    assert "Actions in training are sampled from the policy." in compare("a", "b").text
    leave_run("c", recipe=TD3)
    leave_run("d", recipe=CMA_ES)
    text = compare("a", "c", "d").text
    assert "Actions in training of PPO are sampled from the policy; of TD3 are the" in text
    agents = {name: row["agent"] for name, row in read_page(PAGE).table("run").items()}
    assert agents == {"a": "PPO + RND", "c": "TD3", "d": "CMA-ES"}


def test_the_time_of_a_run_that_went_on_from_another_is_its_own() -> None:
    figures = [row | {"env_steps": 20_000 + row["env_steps"]} for row in rows([0.0] * 4)]
    figures[0] |= {"charts/SPS": 100.0, "time/fraction_learn": 0.5}
    leave_run("a", figures, begun_at=20_000)
    leave_run("b", rows([0.0] * 4), settings=("Gamma=0.9",))
    page = compare("a", "b")
    found = {name: row for name, row in page.table("run").items()}
    assert (found["a"]["time"], found["a"]["env steps/s"]) == ("16 s", "250")
    words = [str(picture["aria-label"]) for picture in page.pictures()]
    assert any("learn 41 %" in text for text in words)  # 10 s at 50 %, 6 s at 25 %


def test_one_run_alone_has_no_interval() -> None:
    leave_run("a", rows([1.0, 5.0]))
    leave_run("b", rows([1.0, 6.0]), settings=("Gamma=0.9",))
    table = compare("a", "b").table("group")
    assert table["a"]["return at 2,000 env steps"] == "5"


def test_a_group_has_a_band_and_a_thin_line_for_each_of_its_runs() -> None:
    leave_two_groups()
    page = compare("with_seed1", "with_seed2", "with_seed3", "without_seed1")
    names = [
        str(found["class"]).split()[0]
        for tag, found, _ in page.elements
        if tag == "path" and "class" in found
    ]
    charts = len([p for p in page.pictures() if "over env steps" in str(p["aria-label"])])
    assert names.count("line") == 2 * charts
    assert names.count("band") == charts
    assert names.count("faint") == 4 * charts


def test_the_configurations_are_shown_where_they_differ() -> None:
    leave_two_groups()
    table = compare("with_seed1", "with_seed2", "without_seed1").table("key")
    assert list(table) == ["IntrinsicReward"]
    assert table["IntrinsicReward"] == {
        "key": "IntrinsicReward",
        "with": "RND",
        "without_seed1": "none",
    }
    assert "share one configuration but for their seeds" in compare("with_seed1", "with_seed2").text


def test_maps_are_of_all_runs_of_a_group_on_one_scale_of_colours() -> None:
    total = np.zeros((40, 40), np.int64)
    for seed in (1, 2):
        total += leave_visits(leave_run(f"a_seed{seed}", seed=seed), seed).counts
    leave_visits(leave_run("b", settings=("Gamma=0.9",)), 3)
    page = compare("a_seed1", "a_seed2", "b")
    maps = [str(p["aria-label"]) for p in page.pictures() if "Map of" in str(p["aria-label"])]
    assert len(maps) == 2
    assert maps[0].startswith("Map of the states that a visited")
    assert f"{total.sum():,} visits" in maps[0]
    assert f"1 to {total.max():,} visits" in page.text


def test_the_newest_evaluations_of_the_runs_are_compared() -> None:
    leave_evaluation(leave_run("a_seed1", seed=1), [4.0])
    leave_evaluation(leave_run("a_seed2", seed=2), [4.0])
    leave_run("b", settings=("Gamma=0.9",))
    table = compare("a_seed1", "a_seed2", "b").table("group")
    column = "evaluation, sampled actions, newest of each run"
    assert table["a"][column] == "4 [4, 4]"
    assert table["b"][column] == "–"


def test_greedy_and_sampled_actions_have_columns_of_their_own() -> None:
    folder = leave_run("a")
    leave_evaluation(folder, [4.0])
    leave_evaluation(folder, [9.0], action_choice="greedy")
    leave_evaluation(leave_run("b", settings=("Gamma=0.9",)), [5.0])
    table = compare("a", "b").table("group")
    columns = [
        f"evaluation, {choice} actions, newest of each run" for choice in ("greedy", "sampled")
    ]
    assert [table["a"][column] for column in columns] == ["9", "4"]
    assert [table["b"][column] for column in columns] == ["–", "5"]


def test_evaluations_under_another_protocol_or_of_another_environment_do_not_count() -> None:
    folder = leave_run("a")
    changes = {"StickyAction": {"trained": "True", "evaluated": "False"}}
    leave_evaluation(folder, [4.0])
    leave_evaluation(folder, [9.0], seed=6, protocol_changes=changes)
    leave_evaluation(folder, [8.0], seed=7, env_id="CartPole-v1")
    leave_run("b", settings=("Gamma=0.9",))
    page = compare("a", "b")
    assert page.table("group")["a"]["evaluation, sampled actions, newest of each run"] == "4"
    table = next(rows for rows in page.tables if rows[0][1] == "checkpoint at")
    told = {row[4]: (row[1], row[3]) for row in table[1:]}
    assert told == {
        "5": ("3,000 env steps", "as in training"),
        "6": ("3,000 env steps", "StickyAction = False (in training True)"),
        "7": ("3,000 env steps of CartPole-v1", "as in training"),
    }


def test_a_run_that_ended_early_empties_no_column_of_longer_ones() -> None:
    late = [row for row in rows([0.0] * 10) if row["env_steps"] < 3000]
    for row in late:
        del row["charts/episodic_return"]
    later = rows([0.0] * 10)[2:]
    for seed in (1, 2):
        long = [*late, *(row | {"charts/episodic_return": float(seed)} for row in later)]
        leave_run(f"long_seed{seed}", long, seed=seed)
    leave_run("long_seed3", rows([7.0]), seed=3)
    leave_run("short", rows([5.0, 6.0]), settings=("Gamma=0.9",))
    page = compare("long_seed1", "long_seed2", "long_seed3", "short")
    table = page.table("group")
    assert table["long"]["return at 10,000 env steps"].endswith("], 2 of 3 runs")
    assert table["long"]["return at 10,000 env steps"].startswith("1.5 [")
    assert table["short"]["return at 10,000 env steps"] == "–"
    assert table["short"]["return at each run's end"] == "6"
    (words,) = [
        str(p["aria-label"]) for p in page.pictures() if "Return over" in str(p["aria-label"])
    ]
    assert "long: 1.5 at 3,000 env steps, 1.5 at 10,000" in words


def test_the_number_over_a_curve_is_that_of_the_table() -> None:
    for seed in (1, 2):
        leave_run(f"a_seed{seed}", rows([0.0] * 19 + [10.0 * seed]), seed=seed)
    page = compare("a_seed1", "a_seed2")
    cell = page.table("group")["a"]["return at 20,000 env steps"]
    assert cell.startswith("15 [")
    assert page.figure("Return").startswith("Return 15 ")
    write_reports(["a_seed2"], None)
    alone = read_page(Path("logs/runs/a_seed2/report.html"))
    assert alone.figure("Return").startswith("Return 20 ")
    assert "20, mean of the last 100 episodes" in alone.text


def test_it_says_what_makes_a_comparison_a_poor_one() -> None:
    leave_run("a")
    leave_run("b", settings=("EnvID=CartPole-v1",))
    leave_run("torn", [])
    page = compare("a", "b", "torn")
    assert "The runs are of different environments: scores do not compare." in page.text
    assert "torn: metrics.jsonl holds no row" in page.text
    assert "different environments" not in compare("a", "torn").text


def test_runs_that_share_no_env_step_are_drawn_all_the_same() -> None:
    early, late = (
        rows([1.0, 2.0]),
        [row | {"env_steps": row["env_steps"] + 10_000} for row in rows([5.0])],
    )
    leave_run("a_seed1", early, seed=1)
    leave_run("a_seed2", late, seed=2)
    assert compare("a_seed1", "a_seed2").pictures()
