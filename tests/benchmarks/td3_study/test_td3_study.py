"""The study of TD3's critics: which runs it starts, what it skips and refuses, and its page."""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.study_folder import recipe_copy
from benchmarks.td3_study.command import main, parse, prepare
from benchmarks.td3_study.plan import ARM_OF, ARMS, RECIPES, Job, Plan
from benchmarks.td3_study.report import arms_table, runs_table, write_report
from commands.run_options import collect_overrides
from commands.verbs import build_parser
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.benchmarks.records import leave_rows, leave_status, row

PLAN = Plan(
    folder=Path("study"),
    environment="pendulum",
    arms=list(ARMS),
    seeds=[1, 2],
    env_steps=1000,
    policy="random",
    rollouts=3,
    model_steps=10,
    use="finetune",
    episodes=2,
    overrides=["RandomSteps=50"],
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return dataclasses.replace(PLAN, folder=tmp_path / "study")


def leave_run(plan: Plan, job: Job, score: float, env_steps: int = 1000) -> None:
    rows = [row(env_steps // 2 * n, score * n / 2) for n in (1, 2)]
    leave_status(leave_rows(plan.run_folder(job), rows), 0, env_steps)
    folder = plan.run_folder(job) / "evaluation"
    folder.mkdir(exist_ok=True)
    report = {
        "env_steps_trained": env_steps,
        "episodes": 2,
        "seed": job.seed,
        "action_choice": "greedy",
        "score": {"mean": score},
    }
    (folder / f"x_{env_steps}_greedy_seed{job.seed}.json").write_text(json.dumps(report))


def score(plan: Plan, job: Job) -> float | None:
    report = plan.report(job)
    return None if report is None else report["score"]["mean"]


def test_the_four_critics_of_the_question_run_with_every_seed() -> None:
    assert set(ARMS.values()) == {(one, two) for one in (False, True) for two in (False, True)}
    assert [job.name for job in PLAN.jobs][:4] == [
        "plain_seed1",
        "encoded_seed1",
        "predicted_seed1",
        "encoded_predicted_seed1",
    ]


def test_kinds_of_critics_have_names_that_a_shell_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(ARM_OF) == ["plain", "encoded", "predicted", "encoded_predicted"]
    assert ARM_OF["encoded"] == "Q(M1(s), a)"
    assert parse(["--only", "plain", "predicted"]).only == ["plain", "predicted"]
    assert parse([]).only == list(ARM_OF)
    with pytest.raises(SystemExit):
        parse(["--only", "Q(s,", "a)"])
    assert "plain" in capsys.readouterr().err


@pytest.mark.parametrize("environment", RECIPES)
@pytest.mark.parametrize("arm", ARMS)
def test_a_run_is_started_with_flags_and_keys_that_are_known(environment: str, arm: str) -> None:
    plan = dataclasses.replace(PLAN, environment=environment)
    arguments = build_parser().parse_args(plan.training(Job(arm, 3)))
    config = load_config(arguments.config_path, collect_overrides(arguments)).config
    encoded, predicted = ARMS[arm]
    assert config.run.seed == 3
    assert config.td3.random_steps == 50
    assert config.ppo.encoder_path == ("models/encoder" if encoded else None)
    assert config.td3.transition_path == ("models/transition" if predicted else None)
    assert (config.representation.use == "finetune") == encoded
    assert (config.td3.transition_use == "finetune") == predicted


def test_models_are_trained_on_play_that_is_there_by_then(plan: Plan) -> None:
    tasks = plan.models()
    assert [task.name for task in tasks] == ["data", "encoder", "transition"]
    for command in (*(task.commands[0] for task in tasks), plan.evaluation(Job("Q(s, a)", 1))):
        build_parser().parse_args(command)
    leave_status(plan.folder / "models" / "encoder", 0, 0)
    assert [task.name for task in plan.models()] == ["data", "transition"]
    leave_status(plan.folder / "models" / "transition", 0, 0)
    assert plan.models() == []


def test_a_run_is_done_at_its_env_steps_and_has_the_score_of_its_evaluation(plan: Plan) -> None:
    job = plan.jobs[0]
    assert not plan.is_trained(job)
    assert score(plan, job) is None
    leave_run(plan, job, -150.0)
    assert plan.is_trained(job)
    assert score(plan, job) == -150.0
    assert not dataclasses.replace(plan, env_steps=2000).is_trained(job)


def test_a_run_that_was_trained_further_is_evaluated_again(plan: Plan) -> None:
    job = plan.jobs[0]
    leave_run(plan, job, -150.0)
    longer = dataclasses.replace(plan, env_steps=2000)
    leave_status(plan.run_folder(job), 0, 2000)
    assert plan.task(job).commands == []
    assert score(longer, job) is None
    assert longer.task(job).commands == [longer.evaluation(job)]
    surer = dataclasses.replace(plan, episodes=100)
    assert surer.task(job).commands == [surer.evaluation(job)]


def test_what_was_trained_further_keeps_its_score_of_before(plan: Plan) -> None:
    job = plan.jobs[0]
    leave_run(plan, job, -900.0)
    leave_run(plan, job, -150.0, env_steps=2000)
    longer = dataclasses.replace(plan, env_steps=2000)
    for asked, mean in ((plan, -900.0), (longer, -150.0)):
        report = asked.report(job)
        assert report is not None
        found = runs_table({job: report}).splitlines()[-1]
        assert found == f"| {job.name} | {job.arm} | {asked.env_steps:,} | {mean:.1f} |"


def test_another_study_is_not_mixed_into_a_folder(plan: Plan) -> None:
    prepare(plan)
    prepare(dataclasses.replace(plan, seeds=[1, 2, 3], env_steps=2000))
    with pytest.raises(ConfigurationError, match="name another --folder"):
        prepare(dataclasses.replace(plan, use="frozen"))
    recipe_copy(plan.folder, plan.environment).write_text("[Run]\nAgent = TD3\n")
    with pytest.raises(ConfigurationError, match="has changed since the study"):
        prepare(plan)


def test_the_page_has_a_row_for_each_arm_and_run_and_its_picture(plan: Plan) -> None:
    pytest.importorskip("matplotlib")
    for job in plan.jobs:
        leave_run(plan, job, -100.0 * job.seed)
    page = write_report(plan, plan.jobs).read_text()
    middle = "-150.0 [-200.0, -100.0]"
    assert f"| Q(s, a) | 2 | {middle} | -200.0 | -100.0 | {middle} |" in page
    assert "| predicted_seed2 | Q(s, a, M2(s, a)) | 1,000 | -200.0 |" in page
    assert (plan.folder / "td3_study.png").stat().st_size > 0
    job = plan.jobs[0]
    report = plan.report(job)
    assert report is not None
    assert len(arms_table(plan, {job.arm: [job]}, {job: report}).splitlines()) == 3


def test_a_mistake_on_the_command_line_ends_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--env_steps", "0"])
    assert "must be at least 1" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_study_runs_and_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("--env_steps", "200", "--rollouts", "2", "--model_steps", "4", "--episodes", "1")
    keys = ("RandomSteps=60", "ActorHiddenSizes=8", "CriticHiddenSizes=8", "ReplayBatchSize=8")
    sets = [part for key in keys for part in ("--set", key)]
    command = ["--seeds", "1", *sizes, *sets, "--folder", str(tmp_path / "study")]
    assert main(command) == 0
    assert capsys.readouterr().out.count(": done") == 3 + len(ARMS)
    assert main(command) == 0
    assert ": done" not in capsys.readouterr().out
