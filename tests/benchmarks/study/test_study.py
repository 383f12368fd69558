"""The study: which runs it starts, what it skips and refuses, and the page it writes."""

import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from benchmarks.study.command import main, parse, study
from benchmarks.study.plan import ARMS, RECIPES, Arm, Job, Plan, prepare
from benchmarks.study.report import arms_table, falls_text, write_report
from benchmarks.study.results import NEVER, read_result
from benchmarks.study_page import iqm_text
from commands.run_options import collect_overrides
from commands.verbs import build_parser
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.benchmarks.records import Row, leave_rows, leave_status, row
from training.reports.rows import read_rows

TINY = """\
[Environment]
EnvType = minigrid
EnvID = MiniGrid-MultiRoom-N2-S4-v0
MaxStepPerEpisode = 8
StateStackSize = 1
PreProcHeight = 75
PreProcWidth = 75
LearningReward = raw

[PPO]
NumStep = 16
Epoch = 1
MiniBatch = 1
ConvChannels = 4, 8, 8
ThirdKernel = 3
HiddenSize = 16
FeatureDim = 16

[Intrinsic]
IntrinsicReward = none

[Run]
NumEnv = 2
saveCkptEvery = 4
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two arms on two layouts with three seeds, 1,000 env steps each; their recipes are empty."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for name in ("ppo.conf", "rnd.conf"):
        (recipes / name).write_text(TINY)
    return Plan(
        folder=tmp_path / "study",
        arms={"PPO": Arm("ppo.conf"), "RND": Arm("rnd.conf", ("IntrinsicReward=RND",))},
        layouts=[0, 1],
        seeds=[1, 2, 3],
        env_steps=1000,
        recipes=recipes,
    )


def rooms(entered: float, in_all: int) -> dict[str, float]:
    return {"charts/rooms": entered, "atari/rooms_total": float(in_all)}


def leave_run(plan: Plan, job: Job, rows: list[Row]) -> None:
    leave_status(leave_rows(plan.run_folder(job), rows), 0, rows[-1]["env_steps"])


def leave_all(plan: Plan, rows_of: Callable[[Job], list[Row]]) -> None:
    for job in plan.jobs:
        leave_run(plan, job, rows_of(job))


def solved(job: Job) -> list[Row]:
    speed = 500.0 if job.arm == "RND" else 1000.0
    score = 0.1 * job.seed if job.arm == "RND" else 0.0
    numbers = range(1, 6)
    return [row(200 * n, score * n / 5, **rooms(n, n), **{"charts/SPS": speed}) for n in numbers]


def test_every_arm_runs_on_every_layout_with_every_seed_under_a_name_of_its_own(
    plan: Plan,
) -> None:
    names = [job.name for job in plan.jobs]
    assert len(set(names)) == len(names) == 2 * 2 * 3
    assert names[0] == "ppo_layout0_seed1"
    assert Job("RND+Barlow-Twins", 3, 2).name == "rnd_barlow_twins_layout3_seed2"
    assert len({Job(arm, 0, 1).name for arm in ARMS}) == len(ARMS)


def test_the_arms_of_the_study_are_the_six_of_the_question() -> None:
    assert list(ARMS) == [
        "PPO",
        "RND",
        "RND+BYOL",
        "RND+Barlow-Twins",
        "modified RND+BYOL",
        "BYOL-Explore",
    ]


def test_a_run_is_started_with_flags_that_main_takes_and_keys_that_it_knows(plan: Plan) -> None:
    plan = dataclasses.replace(plan, overrides=["Nuisance=noise"])
    prepare(plan)
    arguments = build_parser().parse_args(plan.arguments(Job("RND", 1, 3)))
    assert (arguments.train, arguments.resume, arguments.log_name) == (
        True,
        True,
        "rnd_layout1_seed3",
    )
    config = load_config(arguments.config_path, collect_overrides(arguments)).config
    assert (config.environment.layout_seed, config.environment.nuisance) == (1, "noise")
    assert (config.run.seed, config.run.total_env_steps, config.run.learner_threads) == (3, 1000, 1)
    assert config.intrinsic.kind == "RND"


@pytest.mark.parametrize("arm", [name for name in ARMS if (RECIPES / ARMS[name].recipe).exists()])
def test_the_arms_recipes_differ_from_that_of_rnd_in_what_they_are_about_alone(arm: str) -> None:
    recipe, baseline = (load_config(RECIPES / ARMS[name].recipe).config for name in (arm, "RND"))
    assert recipe.environment == baseline.environment
    assert recipe.ppo == baseline.ppo
    assert recipe.run == baseline.run


def test_a_run_is_done_when_it_ended_well_with_all_its_env_steps(plan: Plan) -> None:
    job = plan.jobs[0]
    assert not plan.is_done(job)
    for code, env_steps, done in [(None, 500, False), (75, 500, False), (0, 900, False)]:
        leave_status(plan.run_folder(job), code, env_steps)
        assert plan.is_done(job) is done
    leave_status(plan.run_folder(job), 0, 1024)
    assert plan.is_done(job)
    assert not dataclasses.replace(plan, env_steps=2000).is_done(job)


def test_a_study_goes_on_with_more_of_the_same_but_not_with_anything_else(plan: Plan) -> None:
    prepare(plan)
    prepare(dataclasses.replace(plan, seeds=[4], layouts=[7], env_steps=9))
    with pytest.raises(ConfigurationError, match="name another --folder"):
        prepare(dataclasses.replace(plan, overrides=["Nuisance=noise"]))
    (plan.recipes / "rnd.conf").write_text(TINY + "\nSeed = 3\n")
    with pytest.raises(ConfigurationError, match=r"arm RND.*has changed"):
        prepare(plan)


def test_a_study_with_an_arm_that_has_no_recipe_leaves_nothing_behind(plan: Plan) -> None:
    with pytest.raises(ConfigurationError, match=r"arm X: there is no recipe.*x\.conf"):
        prepare(dataclasses.replace(plan, arms={**plan.arms, "X": Arm("x.conf")}))
    assert not plan.folder.exists()


def test_only_what_is_not_done_is_run_and_a_failure_does_not_stop_the_others(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    script = plan.folder.parent / "main.py"
    script.write_text(
        "import sys\n"
        "name = sys.argv[sys.argv.index('--log_name') + 1]\n"
        "sys.exit(4 if name == 'ppo_layout1_seed2' else 0)\n"
    )
    monkeypatch.setattr("benchmarks.runs.PROJECT", script.parent)
    leave_all(plan, solved)
    for job in plan.jobs[1:]:
        leave_status(plan.run_folder(job), 75, 500)
    assert study(plan, parallel=2) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("12 runs, 11 of them still to do\n")
    assert "Not finished: ppo_layout1_seed2." in printed.out
    assert "1 failed (ppo_layout1_seed2)" in printed.err
    outputs = {path.stem for path in (plan.folder / "output").iterdir()}
    assert outputs == {job.name for job in plan.jobs[1:]}


def test_a_result_is_read_within_the_studys_env_steps(plan: Plan) -> None:
    rows = [
        row(400, 0.0, **rooms(1, 1), **{"charts/SPS": 500.0}),
        row(800, 0.3, **rooms(2, 3), **{"charts/SPS": 1000.0}),
        row(1200, 0.9, **rooms(4, 4), **{"charts/SPS": 1000.0}),
        row(1600, 1.0, **rooms(4, 9)),
    ]
    leave_run(plan, plan.jobs[0], rows)
    result = read_result(plan, plan.jobs[0])
    assert (result.first_goal, result.reached) == (800, 800)
    assert result.score == pytest.approx(0.6)
    assert result.rooms_in_all == 4
    assert result.microseconds == pytest.approx(1e6 * (400 / 500 + 800 / 1000) / 1200)
    assert 1 < result.rooms < 3


def test_a_run_without_a_goal_never_reached_it(plan: Plan) -> None:
    leave_run(plan, plan.jobs[0], [row(1000, 0.0, **rooms(1, 1))])
    result = read_result(plan, plan.jobs[0])
    assert (result.first_goal, result.reached, result.score) == (NEVER, NEVER, 0.0)
    leave_run(plan, plan.jobs[1], [{"env_steps": 1000}])
    with pytest.raises(ConfigurationError, match="no episode came to an end"):
        read_result(plan, plan.jobs[1])


def test_a_run_that_stood_and_ends_low_has_fallen_and_is_named(plan: Plan) -> None:
    ends = {1: 0.72, 2: 0.49, 3: 0.1}
    for job in plan.jobs:
        high = 0.2 if job.seed == 3 else 0.75
        rows = [
            row(400, 0.1, **rooms(1, 1), **{"losses/greedy_drop": 0.9}),
            row(800, high, **rooms(2, 3), **{"losses/greedy_drop": 0.3}),
            row(1000, ends[job.seed], **rooms(4, 4), **{"losses/greedy_drop": 0.2}),
        ]
        leave_run(plan, job, rows)
    by_seed = {job.seed: read_result(plan, job) for job in plan.jobs}
    first, second, third = (by_seed[seed] for seed in plan.seeds)
    assert [r.has_fallen for r in (first, second, third)] == [False, True, False]
    assert (first.stood, second.highest, third.stood) == (800, 0.75, NEVER)
    assert first.lost == pytest.approx(0.3)
    text = falls_text([first, second, third])
    assert "2 of 3 runs had a mean of 100 episodes of 0.7, and 1 of them ended below 0.5" in text
    assert f"the lowest, {second.job.name}, ended at 0.49" in text
    assert falls_text([third]) == "No run had a mean of 100 episodes of 0.7."


def test_the_table_has_one_row_per_arm_with_medians_means_and_times(plan: Plan) -> None:
    leave_all(plan, solved)
    results = [read_result(plan, job) for job in plan.jobs]
    by_arm = {name: [r for r in results if r.job.arm == name] for name in plan.arms}
    ppo, rnd = arms_table(by_arm).splitlines()[2:]
    assert ppo.startswith("| PPO | 6 | 0.00 [0.00, 0.00] | never (0 of 6) | never (0 of 6) |")
    assert ppo.endswith("| 5.0 | 0.50 |")
    assert rnd.startswith("| RND | 6 | 0.20 [0.1")
    assert "| 200 (6 of 6) | never (2 of 6) |" in rnd
    assert rnd.endswith("| 5.0 | 1.00 |")


def test_the_page_holds_picture_tables_and_what_is_missing(plan: Plan) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    leave_all(plan, solved)
    *finished, failed = plan.jobs
    results = [read_result(plan, job) for job in finished]
    page = write_report(plan, results, [failed]).read_text()
    assert "1,000 env steps a run; layouts 0, 1, seeds 1, 2, 3" in page
    assert "Not finished: rnd_layout1_seed3." in page
    assert sum(line.startswith("| rnd_layout") for line in page.splitlines()) == 5
    assert "No run had a mean of 100 episodes of 0.7." in page
    picture = cv2.imread(str(plan.folder / "study.png"))
    assert picture is not None
    assert picture.std() > 1


def test_times_are_multiples_only_where_there_is_what_they_are_multiples_of(plan: Plan) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    leave_all(plan, solved)
    results = [read_result(plan, job) for job in plan.jobs]
    page = write_report(plan, results, []).read_text()
    assert "Times are medians per env step, as multiples of that of RND." in page
    page = write_report(plan, [r for r in results if r.job.arm == "PPO"], []).read_text()
    assert "Times are medians per env step." in page
    assert "| 5.0 | 1000 us |" in page


def test_where_each_layout_has_one_run_there_is_no_interval(plan: Plan) -> None:
    leave_all(plan, solved)
    results = [read_result(plan, job) for job in plan.jobs if job.seed == 3]
    by_arm = {"RND": [result for result in results if result.job.arm == "RND"]}
    assert arms_table(by_arm).splitlines()[2].startswith("| RND | 2 | 0.30 | 200 (2 of 2)")
    assert iqm_text([[1.0], [2.0]], 1) == "1.5"
    assert iqm_text([[1.0], [2.0, 2.0]], 1).endswith("]")


def test_arms_may_be_chosen_by_name_and_nonsense_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parse(["--only", "RND", "PPO"]).only == ["rnd", "ppo"]
    assert parse(["--only", "modified RND+BYOL"]) == parse(["--only", "modified_rnd_byol"])
    for flags in (["--only", "RNDX"], ["--jobs", "0"], ["--env_steps", "0"], ["--seed", "4"]):
        with pytest.raises(SystemExit):
            parse(flags)
    assert "rnd_byol" in capsys.readouterr().err


def test_a_missing_package_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--folder", str(tmp_path / "study")]) == 2
    signal.signal(signal.SIGTERM, before)
    assert "pip install -r requirements-study.txt" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_a_small_study_is_trained_goes_on_and_is_reported(plan: Plan) -> None:
    for package in ("minigrid", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    small = dataclasses.replace(plan, arms={"PPO": Arm("ppo.conf")}, layouts=[3], seeds=[1])
    assert study(dataclasses.replace(small, env_steps=256), parallel=1) == 0
    folder = small.run_folder(small.jobs[0])
    first = [found["env_steps"] for found in read_rows(folder)]
    assert first == list(range(32, 257, 32))
    assert study(dataclasses.replace(small, env_steps=512), parallel=1) == 0
    again = [found["env_steps"] for found in read_rows(folder)]
    assert again == list(range(32, 513, 32))
    starts = json.loads((folder / "manifest.json").read_text())["starts"]
    assert len(starts) == 2
    assert study(dataclasses.replace(small, env_steps=512), parallel=1) == 0
    assert json.loads((folder / "manifest.json").read_text())["starts"] == starts
