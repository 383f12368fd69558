"""The page of one run: what it says, that it is whole, and what a torn run still gives."""

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.loading import load_config
from configs.options import all_options, option_values, value_text
from tests.benchmarks.records import leave_rows
from tests.training.reports.left_runs import (
    CMA_ES,
    COMMIT,
    RECIPE,
    TD3,
    leave_evaluation,
    leave_run,
    leave_video,
    leave_visits,
    rows,
)
from tests.training.reports.parsing import Page, read_page
from training.reports import page as page_module
from training.reports.writing import write_reports


def report_of(name: str) -> Page:
    assert write_reports([name]) == 0
    return read_page(Path("logs/runs") / name / "report.html")


def facts(page: Page) -> dict[str, str]:
    """Names and facts follow each other in the text of the page."""
    source = Path("logs/runs/demo/report.html").read_text(encoding="utf-8")
    pairs = (part.split("</dt><dd>") for part in source.split("<dt>")[1:])
    return {name: html.unescape(fact.split("</dd>")[0]) for name, fact in pairs}


def test_the_head_says_what_ran_where_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    leave_run("demo", seed=7)
    page = report_of("demo")
    assert capsys.readouterr().out == "report      logs/runs/demo/report.html\n"
    found = facts(page)
    assert found["environment"] == "MountainCar-v0 (classic_control, state)"
    assert found["agent"] == "PPO + RND"
    assert found["seed"] == "7"
    assert found["commit"] == COMMIT
    assert found["machine"] == "A cpu, 2 cores, Linux-6"
    assert "torch 2.13.0" in found["packages"]
    assert found["progress"] == "3,000 env steps; 2 % of 160,000 env steps"
    assert found["return"] == "−120, mean of the last 100 episodes; best episode −119"
    assert found["training time"] == "6 s, 500 env steps/s"
    assert "main.py --train --log_name=demo" in page.text
    assert "done" in page.text


def test_agent_processes_are_told_from_the_env_steps_of_an_update() -> None:
    config = load_config(RECIPE).config
    leave_run("demo", rows([0.0, 0.0], step=2 * config.run.num_envs * config.ppo.rollout_steps))
    assert facts(report_of("demo"))["processes"] == "2 agent processes, 8 environments in each"


def test_the_env_steps_of_another_run_are_no_time_of_one_that_goes_on_from_them() -> None:
    figures = [row | {"env_steps": 20_000 + row["env_steps"]} for row in rows([0.0] * 4)]
    leave_run("demo", figures, begun_at=20_000)
    page = report_of("demo")
    assert facts(page)["training time"] == "8 s, 500 env steps/s"
    assert facts(page)["progress"].startswith("24,000 env steps")


def test_of_td3_an_update_is_as_long_as_its_own_key_says() -> None:
    more = rows([0.0, 0.0], step=256)
    leave_run("demo", more, recipe=TD3, settings=("StepsPerUpdate=256",))
    assert facts(report_of("demo"))["processes"] == "1 agent process, 1 environment in each"


def test_of_cma_es_processes_are_not_told_from_env_steps_that_differ() -> None:
    leave_run("demo", rows([0.0, 0.0], step=32 * 128), recipe=CMA_ES)
    processes = facts(report_of("demo"))["processes"]
    assert processes == "at most 32 environments in each agent process"


def test_a_run_from_before_there_was_a_choice_of_agents_is_ppos() -> None:
    config = load_config(RECIPE).config
    step = config.run.num_envs * config.ppo.rollout_steps
    folder = leave_run("demo", rows([0.0, 0.0], step=step))
    kept = folder / "config.conf"
    kept.write_text(re.sub(r"(?m)^Agent = .*\n", "", kept.read_text()))
    page = report_of("demo")
    assert facts(page)["agent"] == "PPO + RND"
    assert facts(page)["processes"] == "1 agent process, 8 environments in each"
    assert "Actions in training are sampled" in page.text


@pytest.mark.parametrize(
    ("recipe", "agent", "actions"),
    [
        (RECIPE, "PPO + RND", "are sampled from the policy"),
        (TD3, "TD3", "are the policy's with noise (ExplorationNoise)"),
        (CMA_ES, "CMA-ES", "are those of each controller of the population, none is sampled"),
    ],
)
def test_each_agent_is_called_by_its_name_and_its_actions_by_what_they_are(
    recipe: Path, agent: str, actions: str
) -> None:
    leave_run("demo", recipe=recipe)
    page = report_of("demo")
    assert facts(page)["agent"] == agent
    assert f"Actions in training {actions}" in page.text


def test_a_run_without_configuration_is_of_an_unknown_agent() -> None:
    (leave_run("demo") / "config.conf").unlink()
    page = report_of("demo")
    assert facts(page)["agent"] == "?"
    assert "Actions in training" not in page.text


@pytest.mark.parametrize(
    ("settings", "progress"),
    [
        (("Generations=3",), "3,000 env steps; 100 % of 3 generations"),
        (("Generations=6",), "3,000 env steps; 50 % of 6 generations"),
        (("Generations=6", "TotalEnvSteps=3000"), "3,000 env steps; 100 % of 3,000 env steps"),
    ],
)
def test_an_evolution_ends_with_its_generations_or_its_env_steps(
    settings: tuple[str, ...], progress: str
) -> None:
    leave_run("demo", recipe=CMA_ES, settings=settings)
    assert facts(report_of("demo"))["progress"] == progress


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (0, "done", "done"),
        (75, "stopped on request (SIGTERM)", "stopped on request (SIGTERM)"),
        (4, "worker 2 was lost", "ended with code 4: worker 2 was lost"),
        (None, "under way", "ended without a last word"),
    ],
)
def test_it_says_how_the_run_ended(code: int | None, reason: str, words: str) -> None:
    leave_run("demo", code=code, reason=reason)
    assert words in report_of("demo").text


def test_a_run_whose_process_lives_is_under_way() -> None:
    folder = leave_run("demo", code=None, reason="under way")
    (folder / "run.lock").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    assert "under way" in report_of("demo").text


def test_every_figure_has_a_chart_and_every_picture_says_in_words_what_it_shows() -> None:
    figures = [row | {"losses/of_tomorrow": 3.0} for row in rows([1.0, 2.0, 4.0])]
    folder = leave_run("demo", figures)
    leave_visits(folder)
    page = report_of("demo")
    pictures = page.pictures()
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    words = [str(picture["aria-label"]) for picture in pictures]
    assert [text.split(" over env steps")[0] for text in words[:-2]] == [
        *("Return", "Intrinsic reward", "Best of the last 100 episodes"),
        *("Entropy", "Of tomorrow", "Env steps/s"),
    ]
    assert "demo: 1 at 1,000 env steps, 4 at 3,000" not in words[0]  # thick curves are smoothed
    assert words[-2].startswith("Map of the states that demo visited, position across")
    assert "step 38 %, act 12 %, learn 25 %, synchronise 0 %, write 0 %, rest 25 %" in words[-1]


def test_frames_stand_beside_env_steps_where_they_differ() -> None:
    leave_run("demo")
    assert "env steps / frames" not in report_of("demo").text
    leave_run("atari", [row | {"frames": 4 * row["env_steps"]} for row in rows([1.0, 2.0])])
    page = report_of("atari")
    assert "env steps / frames" in page.text
    assert "2,000 env steps, 8,000 frames" in page.text


def test_nothing_is_loaded_from_elsewhere() -> None:
    folder = leave_run("demo")
    leave_visits(folder)
    leave_video(folder)
    page = report_of("demo")
    loaded = [
        attributes[name] or ""
        for tag, attributes, _ in page.elements
        for name in ("src", "href", "srcset", "poster", "data", "action")
        if name in attributes and tag != "a"
    ]
    assert len(loaded) == 2
    assert all(address.startswith("data:") for address in loaded)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _, _ in page.elements}
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text


def test_what_stands_in_a_runs_files_is_text_and_never_markup() -> None:
    bad = '<script>alert("x")</script>'
    figures = [row | {f"losses/{bad}": 1.0} for row in rows([1.0, 2.0])]
    folder = leave_run("demo", figures, code=4, reason=bad)
    (folder / "config.conf").write_text(f"[Environment]\nEnvID = {bad}\n{bad} = {bad}\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["starts"][0] |= {"commit": bad, "command": [bad], "time": bad}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    leave_evaluation(folder, [1.0])
    path = next((folder / "evaluation").glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"action_choice": bad}))
    page = report_of("demo")
    assert "script" not in {tag for tag, _, _ in page.elements}
    assert page.text.count(bad) >= 5


def test_the_configuration_shows_what_differs_from_the_defaults_and_every_key() -> None:
    leave_run("demo", settings=("Gamma=0.5",))
    page = report_of("demo")
    table = page.table("key")
    assert table["Gamma"] == {"key": "Gamma", "this run": "0.5", "default": "0.999"}
    values = option_values(load_config(RECIPE, ["Gamma=0.5", "Seed=1"]).config)
    defaults = {option.key: option.default for option in all_options().values()}
    assert table.keys() == {
        key for key, value in values.items() if value_text(value) != defaults[key]
    }
    assert all(f"{key} = {value_text(value)}" in page.text for key, value in values.items())


def test_evaluations_are_a_table_and_the_newest_video_lies_within() -> None:
    folder = leave_run("demo")
    leave_evaluation(folder, [1.0, 2.0, 3.0, 10.0], rooms=(1, 2))
    leave_video(folder, b"moving pictures")
    page = report_of("demo")
    row = page.table("run")["demo"]
    assert (row["mean score"], row["IQM"], row["min"], row["max"]) == ("4", "2.5", "1", "10")
    assert (row["checkpoint at"], row["rooms"]) == ("3,000 env steps", "2")
    (video,) = (found for tag, found, _ in page.elements if tag == "video")
    address, _, data = str(video["src"]).partition(",")
    assert address == "data:video/mp4;base64"
    assert base64.b64decode(data) == b"moving pictures"
    assert video["aria-label"]


def test_a_large_video_is_a_link_that_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "LARGEST_VIDEOS", 10)
    leave_video(leave_run("demo"), b"more than ten bytes")
    Path("elsewhere").mkdir()
    assert write_reports(["demo"], Path("elsewhere/page.html")) == 0
    page = read_page(Path("elsewhere/page.html"))
    assert "video" not in {tag for tag, _, _ in page.elements}
    links = [str(found["href"]) for tag, found, _ in page.elements if tag == "a"]
    assert (Path("elsewhere") / links[-1]).read_bytes() == b"more than ten bytes"


def test_videos_are_embedded_as_long_as_all_of_them_are_not_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_module, "LARGEST_VIDEOS", 10)
    for name in ("a", "b"):
        leave_video(leave_run(name), b"7 bytes")
    assert write_reports(["a", "b"], Path("page.html")) == 0
    page = read_page(Path("page.html"))
    assert [tag for tag, _, _ in page.elements].count("video") == 1
    links = [str(found["href"]) for tag, found, _ in page.elements if tag == "a"]
    assert "logs/runs/b/evaluation/x.mp4" in links


def test_the_rooms_of_montezumas_revenge_are_a_map() -> None:
    game = ("EnvType=atari", "EnvID=MontezumaRevengeNoFrameskip-v4")
    settings = (*game, "ObservationType=pixels", "LearningReward=sign")
    leave_evaluation(leave_run("demo", settings=settings), [0.0, 100.0], rooms=(1, 2, 6))
    page = report_of("demo")
    assert "Map of the 24 rooms: demo entered 1, 2, 6." in {
        picture["aria-label"] for picture in page.pictures()
    }
    boxes = [
        found["class"] for tag, found, _ in page.elements if tag == "rect" and "class" in found
    ]
    assert (boxes.count("entered"), boxes.count("closed")) == (3, 21)


def cut_rows(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 4000, "char')


def spoil_rows(folder: Path) -> None:
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(
        f'\x00\x00\n{text}[1]\n{{"x": 1}}\n{{"env_steps": NaN}}\n'
    )


@pytest.mark.parametrize(
    ("tear", "words"),
    [
        (cut_rows, None),
        (spoil_rows, "4 lines of metrics.jsonl cannot be read"),
        (lambda folder: leave_rows(folder, []), "the run has not finished an update"),
        (lambda folder: (folder / "metrics.jsonl").unlink(), "metrics.jsonl is missing"),
        (lambda folder: (folder / "config.conf").write_text("[torn"), "config.conf cannot be read"),
        (lambda folder: (folder / "config.conf").unlink(), "config.conf cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda folder: (folder / "status.json").unlink(), "it left no last word"),
        (lambda folder: (folder / "visits.npz").write_bytes(b"PK\x03\x04"), "visits.npz cannot"),
        (
            lambda folder: (folder / "evaluation" / "x_3000_sampled_seed5.json").write_text("["),
            "x_3000_sampled_seed5.json cannot be read",
        ),
    ],
)
def test_a_torn_run_is_reported_as_far_as_it_goes(
    tear: Callable[[Path], object], words: str | None
) -> None:
    folder = leave_run("demo")
    leave_visits(folder)
    leave_evaluation(folder, [1.0])
    tear(folder)
    page = report_of("demo")
    if words is None:
        assert "cannot be read" not in page.text
    else:
        assert words in page.text
    assert (
        "3,000 env steps" in page.text
        or "not finished an update" in page.text
        or "missing" in page.text
    )
    assert page.pictures()


def test_a_run_of_one_update_and_one_without_any_figure_have_a_page() -> None:
    leave_run("one", [{"env_steps": 8}])
    leave_run("first", rows([1.0]))
    leave_run("none", [], code=2, reason="bad recipe")
    assert "8 env steps" in report_of("one").text
    assert "circle" in {tag for tag, _, _ in report_of("first").elements}
    assert "ended with code 2: bad recipe" in report_of("none").text


def test_a_report_does_not_keep_a_failed_start_from_being_repeated() -> None:
    leave_run("demo", [], code=2, reason="bad recipe")
    report_of("demo")
    leave_run("demo")
    assert "report.html" not in {path.name for path in Path("logs/runs/demo").iterdir()}
