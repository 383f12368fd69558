"""The study of sprites: which runs it starts, what it skips and refuses, and its page."""

import dataclasses
import json
from pathlib import Path

import cv2
import pytest

from benchmarks.sprites_study.command import main, parse
from benchmarks.sprites_study.paths import main as draw
from benchmarks.sprites_study.plan import ARMS, ENVIRONMENTS, RECIPES, Job, Plan, prepare
from benchmarks.sprites_study.report import arms_table, write_report
from commands.run_options import collect_overrides
from commands.verbs import build_parser
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.benchmarks.records import leave_rows, leave_status, row
from tests.runs import run_here
from training.collecting.numbering import episode_id
from trajectories.manifest import SPLITS, split_of

PLAN = Plan(
    folder=Path("study"),
    environments=["v0", "v2"],
    arms=["oracle", "frozen", "finetune_gamma99"],
    seeds=[1, 2],
    env_steps=1000,
    rollouts=50,
    encoder_steps=10,
    episodes=2,
    overrides=["NumStep=20"],
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return dataclasses.replace(PLAN, folder=tmp_path / "study")


def leave_run(plan: Plan, job: Job, score: float, env_steps: int = 1000) -> None:
    rows = [row(env_steps // 2, score / 2), row(env_steps, score)]
    leave_status(leave_rows(plan.run_folder(job), rows), 0, env_steps)
    folder = plan.run_folder(job) / "evaluation"
    folder.mkdir(exist_ok=True)
    report = {
        "env_steps_trained": env_steps,
        "episodes": plan.episodes,
        "seed": 1000 + job.seed,
        "action_choice": "sampled",
        "training_score": score - 1,
        "score": {"mean": score, "interval_low": score - 2, "interval_high": score + 2},
    }
    (folder / f"x_{env_steps}_sampled_seed{1000 + job.seed}.json").write_text(json.dumps(report))


def leave_probe(plan: Plan, environment: str) -> None:
    folder = plan.folder / "models"
    folder.mkdir(parents=True, exist_ok=True)
    probe = {"state": ["agent_row", "distance"], "models": [{"r_squared": [0.9876, None]}]}
    (folder / f"probe_{environment}.json").write_text(json.dumps(probe))


def test_every_arm_runs_in_every_environment_with_every_seed() -> None:
    names = [job.name for job in PLAN.jobs]
    assert len(set(names)) == len(names) == 2 * 3 * 2
    assert names[:4] == [
        "oracle_v0_seed1",
        "frozen_v0_seed1",
        "finetune_gamma99_v0_seed1",
        "oracle_v2_seed1",
    ]


def test_the_arms_cover_every_representation() -> None:
    uses = {load_config(RECIPES / arm.recipe).config.representation.use for arm in ARMS.values()}
    assert uses == {"oracle", "frozen", "finetune", "brain_split", "scratch"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("arm", ARMS)
def test_a_run_is_started_with_flags_and_keys_that_are_known(
    environment: str, arm: str, plan: Plan
) -> None:
    plan = dataclasses.replace(plan, environments=[environment], arms=[arm], seeds=[3])
    prepare(plan)
    training, evaluation = plan.task(plan.jobs[0]).commands
    arguments = build_parser().parse_args(training)
    config = load_config(arguments.config_path, collect_overrides(arguments)).config
    state = "State" if arm == "oracle" else ""
    assert config.environment.env_id == f"Sprites{state}-{environment}"
    assert (config.run.seed, config.run.total_env_steps, config.ppo.rollout_steps) == (3, 1000, 20)
    encoder = None if arm == "oracle" else f"models/encoder_{environment}"
    assert config.ppo.encoder_path == encoder
    assert (config.ppo.gamma == 0.99) == (arm == "finetune_gamma99")
    arguments = build_parser().parse_args(evaluation)
    assert (arguments.eval, arguments.episodes, arguments.seed) == (True, 2, 1003)
    assert arguments.save_rollouts


def test_an_encoder_is_trained_once_for_each_environment_and_only_where_one_is_needed(
    plan: Plan,
) -> None:
    tasks = plan.models()
    assert [task.name for task in tasks] == ["encoder_v0", "encoder_v2"]
    verbs = [command[0] for command in tasks[0].commands]
    assert verbs == ["--collect", "--train_encoder", "--probe"]
    for command in tasks[0].commands:
        build_parser().parse_args(command)
    leave_status(plan.folder / "models" / "encoder_v0", 0, 0)
    assert [command[0] for command in plan.models()[0].commands] == ["--probe"]
    leave_probe(plan, "v0")
    assert [task.name for task in plan.models()] == ["encoder_v2"]
    assert dataclasses.replace(plan, arms=["oracle"]).models() == []


def test_only_what_is_not_done_is_left_to_do(plan: Plan) -> None:
    job = plan.jobs[0]
    assert [command[0] for command in plan.task(job).commands] == ["--train", "--eval"]
    leave_status(plan.run_folder(job), 0, 1000)
    assert [command[0] for command in plan.task(job).commands] == ["--eval"]
    leave_run(plan, job, 38.0)
    assert plan.task(job).commands == []
    longer = dataclasses.replace(plan, env_steps=2000)
    assert [command[0] for command in longer.task(job).commands] == ["--train", "--eval"]
    leave_status(plan.run_folder(job), 0, 2000)
    assert [command[0] for command in longer.task(job).commands] == ["--eval"]


def test_another_study_is_not_mixed_into_a_folder(plan: Plan) -> None:
    prepare(plan)
    prepare(dataclasses.replace(plan, seeds=[4], environments=["v1"], arms=["scratch"]))
    for other in (
        dataclasses.replace(plan, rollouts=51),
        dataclasses.replace(plan, env_steps=2000),
    ):
        with pytest.raises(ConfigurationError, match="name another --folder"):
            prepare(other)
    copy = plan.folder / "recipes" / "frozen.conf"
    copy.write_text(copy.read_text() + "\n; older\n")
    with pytest.raises(ConfigurationError, match=r"arm frozen.*has changed"):
        prepare(plan)


def test_too_few_rollouts_for_an_encoders_batch_are_refused_before_any_is_collected(
    plan: Plan,
) -> None:
    """Of the collection's episodes; a study without encoders collects none."""
    with pytest.raises(ConfigurationError, match=r"--rollouts 3: .* is 32 episodes") as caught:
        prepare(dataclasses.replace(plan, rollouts=3))
    assert not plan.folder.exists()
    enough = int(str(caught.value).rpartition(" ")[2])
    names = [split_of(episode_id(1, number), SPLITS) for number in range(enough)]
    assert (names.count("train"), names[-1]) == (32, "train")
    assert "validation" in names
    with pytest.raises(ConfigurationError, match=f"--rollouts {enough - 1}: "):
        prepare(dataclasses.replace(plan, rollouts=enough - 1))
    prepare(dataclasses.replace(plan, rollouts=3, arms=["oracle"], folder=plan.folder / "states"))
    prepare(dataclasses.replace(plan, rollouts=enough))


def test_the_page_has_arms_by_environments_the_floor_the_probes_and_every_run(plan: Plan) -> None:
    pytest.importorskip("matplotlib")
    for job in plan.jobs:
        leave_run(plan, job, {"oracle": 38.0, "frozen": 34.0}.get(job.arm, 33.0) + job.seed / 10)
    leave_probe(plan, "v0")
    page = write_report(plan, plan.jobs).read_text()
    assert "| frozen | 2, 2 | 34.15 [34.10, 34.20] | 34.15 [34.10, 34.20] |" in page
    assert "| random play |  | 28.18 | 28.18 |" in page
    assert "| Sprites-v0 | agent_row 0.988, distance constant |" in page
    assert "| oracle_v2_seed2 | 1,000 | 38.20 [36.20, 40.20] | 37.20 |" in page
    assert "finetune_gamma99 (Gamma=0.99)" in page
    picture = cv2.imread(str(plan.folder / "sprites_study.png"))
    assert picture is not None
    assert picture.std() > 1


def test_the_games_that_are_drawn_are_those_of_the_evaluation_in_the_table(plan: Plan) -> None:
    job = plan.jobs[0]
    for env_steps in (101_120, 1_001_472):  # as text the second is the lesser
        leave_run(plan, job, 38.0, env_steps)
        name = f"x_{env_steps}_sampled_seed1001_rollouts"
        (plan.run_folder(job) / "evaluation" / name).mkdir()
    for asked in (101_120, 1_001_472):
        games = dataclasses.replace(plan, env_steps=asked).games(job)
        assert games is not None
        assert games.name == f"x_{asked}_sampled_seed1001_rollouts"
        games.rmdir()
        assert dataclasses.replace(plan, env_steps=asked).games(job) is None


def test_a_table_of_a_few_runs_has_gaps_where_there_are_none(plan: Plan) -> None:
    job = plan.jobs[0]
    leave_run(plan, job, 38.0)
    report = plan.report(job)
    assert report is not None
    rows = arms_table(plan, {job: report}).splitlines()
    assert rows[2] == "| oracle | 1, 0 | 38.00 |  |"
    assert rows[3] == "| frozen | 0, 0 |  |  |"


def test_a_mistake_on_the_command_line_ends_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parse(["--environments", "v1", "--arms", "frozen"]).environments == ["v1"]
    for flags in (["--env_steps", "0"], ["--jobs", "0"], ["--arms", "frosted"]):
        with pytest.raises(SystemExit):
            main(flags)
    assert capsys.readouterr().err.count("\n") == 3


def test_the_paths_of_ones_own_games_are_drawn_and_those_of_others_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    for env_id in ("Sprites-v0", "CartPole-v1"):
        flags = (f"--environment={env_id}", "--num_rollouts=1", f"--out_dir={env_id}")
        assert run_here(tmp_path, "--collect", *flags) == 0
    picture = tmp_path / "pictures" / "paths.png"
    games = str(tmp_path / "Sprites-v0")
    assert draw([games, games, "--out", str(picture)]) == 0
    drawn = cv2.imread(str(picture))
    assert drawn is not None
    assert drawn.std() > 1
    assert draw([str(tmp_path / "CartPole-v1"), "--out", str(picture)]) == 2
    said = capsys.readouterr().err
    assert "holds games of CartPole-v1, and paths are drawn of Sprites" in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_study_runs_draws_paths_and_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    folder = tmp_path / "study"
    what = ("--environments", "v0", "--arms", "oracle", "brain_split", "--seeds", "1")
    sizes = ("--env_steps", "160", "--rollouts", "60", "--encoder_steps", "2", "--episodes", "2")
    keys = ("NumEnv=2", "Epoch=1", "MiniBatch=2", "StateHiddenSizes=8")
    sets = [part for key in keys for part in ("--set", key)]
    command = [*what, *sizes, *sets, "--folder", str(folder)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count(": done") == 3
    assert "| brain_split | 1 | " in printed
    assert "![paths](sprites_paths.png)" in printed
    picture = cv2.imread(str(folder / "sprites_paths.png"))
    assert picture is not None
    assert picture.std() > 1
    assert main(command) == 0
    assert ": done" not in capsys.readouterr().out
