"""Evaluation: as many episodes as asked for, a report, a film of the real screen."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.runs import CARTPOLE, MAIN, PONG, run_here, write_recipe
from training.figures.statistics import summarize

NAME = "demo"
CHECKPOINT = f"checkpoints/{NAME}.ckpt"

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]


def train(folder: Path, text: str) -> Path:
    recipe = write_recipe(folder, text, TotalEnvSteps=32)
    assert run_here(folder, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    return folder


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("pong"), PONG)


def evaluate(folder: Path, *arguments: str, code: int = 0) -> None:
    common = (f"--config_path={folder / 'recipe.conf'}", f"--load_model_path={CHECKPOINT}")
    assert run_here(folder, "--eval", *common, *arguments) == code


def reports(folder: Path, name: str) -> list[dict[str, Any]]:
    files = sorted((folder / "logs" / "runs" / name / "evaluation").glob("*.json"))
    return [json.loads(file.read_text()) for file in files]


def test_without_a_name_the_report_goes_beside_the_checkpoints_own_run(
    cartpole: Path, tmp_path: Path
) -> None:
    """Whatever the recipe is called, and the file."""
    moved = tmp_path / "moved.ckpt"
    moved.write_bytes((cartpole / CHECKPOINT).read_bytes())
    common = ("--eval", f"--config_path={cartpole / 'recipe.conf'}", f"--load_model_path={moved}")
    assert run_here(tmp_path, *common, "--episodes=1") == 0
    assert len(reports(tmp_path, NAME)) == 1


def test_a_short_look_replaces_no_long_evaluation(cartpole: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.ckpt"
    moved.write_bytes((cartpole / CHECKPOINT).read_bytes())
    for arguments in ((), ("--episodes=2", "--save_rollouts"), ("--episodes=3",)):
        assert run_here(tmp_path, "--eval", f"--load_model_path={moved}", *arguments) == 0
    assert sorted(report["episodes"] for report in reports(tmp_path, NAME)) == [2, 3, 20]
    folder = tmp_path / "logs" / "runs" / NAME / "evaluation"
    (rollouts,) = folder.glob("*_rollouts")
    assert rollouts.name.endswith("_seed1_2episodes_rollouts")


def test_a_look_without_baselines_keeps_those_that_were_played(
    cartpole: Path, capsys: Captured
) -> None:
    """On the same episodes: in another number of environments they are others."""
    common = ("--log_name=kept", "--episodes=3", "--num_env_per_process=3")
    evaluate(cartpole, *common, "--baselines")
    (first,) = reports(cartpole, "kept")
    capsys.readouterr()
    evaluate(cartpole, *common)
    assert reports(cartpole, "kept") == [first]
    assert first["baselines"].keys() == {"random", "nothing"}
    assert "random      mean" in capsys.readouterr().out
    evaluate(cartpole, *common[:2], "--num_env_per_process=1")
    found = reports(cartpole, "kept")
    assert [len(report["environments"]) for report in found] == [3, 1]
    assert [bool(report["baselines"]) for report in found] == [True, False]


def test_other_games_than_those_of_the_usual_environments_have_a_name_of_their_own(
    cartpole: Path,
) -> None:
    """Of the usual number names are as they were, however many episodes there are."""
    names = {
        ("--episodes=9",): "9episodes",
        ("--episodes=9", "--num_env_per_process=8"): "9episodes",
        ("--episodes=9", "--num_env_per_process=2"): "9episodes_2environments",
        ("--episodes=3", "--num_env_per_process=8"): "3episodes",
        ("--num_env_per_process=2", "--save_rollouts"): "2environments",
        (): "",
    }
    for arguments, name in names.items():
        evaluate(cartpole, f"--log_name=named_{name}", *arguments)
        folder = cartpole / "logs" / "runs" / f"named_{name}" / "evaluation"
        (report,) = folder.glob("*.json")
        assert report.stem.partition("_seed1")[2].lstrip("_") == name
        kept = [f"{report.stem}_rollouts"] if "--save_rollouts" in arguments else []
        assert [path.name for path in folder.iterdir() if path.is_dir()] == kept


def test_a_report_that_could_not_be_written_is_refused_before_a_game_is_played(
    cartpole: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "runs").write_text("a file")
    common = ("--eval", f"--load_model_path={cartpole / CHECKPOINT}")
    assert run_here(tmp_path, *common, "--episodes=1000000") == 7
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"cannot write logs/runs/{NAME}/evaluation" in told


def test_a_checkpoint_plays_by_its_own_recipe_where_none_is_typed(
    cartpole: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Not by the demo's, which is another environment's."""
    checkpoint = f"--load_model_path={cartpole / CHECKPOINT}"
    assert run_here(tmp_path, "--eval", checkpoint, "--episodes=1") == 0
    assert "on CartPole-v1, 1 episodes" in capsys.readouterr().out
    demo = f"--config_path={MAIN.parent / 'configs' / 'demo_config.conf'}"
    assert run_here(tmp_path, "--eval", checkpoint, demo, "--episodes=1") == 3
    assert "does not fit" in capsys.readouterr().err


@pytest.mark.parametrize(("episodes", "environments"), [(1, 1), (5, 3), (7, 7), (3, 8)])
def test_exactly_as_many_episodes_as_asked_for_are_played(
    cartpole: Path, episodes: int, environments: int
) -> None:
    name = f"exact{episodes}_{environments}"
    arguments = (f"--episodes={episodes}", f"--num_env_per_process={environments}")
    evaluate(cartpole, f"--log_name={name}", *arguments)
    (report,) = reports(cartpole, name)
    assert report["episodes"] == len(report["scores"]) == report["score"]["n"] == episodes


def test_the_report_and_the_terminal_say_the_same(cartpole: Path, capsys: Captured) -> None:
    evaluate(cartpole, "--log_name=report", "--episodes=6")
    (report,) = reports(cartpole, "report")
    assert report["checkpoint"] == CHECKPOINT
    assert report["env_id"] == "CartPole-v1"
    assert report["env_steps_trained"] == 32
    assert report["action_choice"] == "sampled"
    assert report["score"] == summarize(report["scores"])
    assert report["length"]["mean"] == report["score"]["mean"]  # a point for each step
    output = capsys.readouterr().out
    assert (
        f"score       mean {report['score']['mean']:.2f}  std {report['score']['std']:.2f}"
        in output
    )
    assert "95% interval" in output
    assert "] (wide, of few episodes)  min" in output
    written = re.search(r"^report +(\S+)$", output, re.MULTILINE)
    assert written is not None
    assert json.loads((cartpole / written[1]).read_text()) == report


def test_the_same_seed_gives_the_same_report_and_another_seed_another(cartpole: Path) -> None:
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        evaluate(cartpole, f"--log_name={name}", "--episodes=6", f"--seed={seed}")
    (first,), (again,), (other,) = (reports(cartpole, name) for name in ("first", "again", "other"))
    assert first == again
    assert first["scores"] != other["scores"]


def test_greedy_actions_are_a_report_of_their_own(cartpole: Path) -> None:
    evaluate(cartpole, "--log_name=both", "--episodes=4")
    evaluate(cartpole, "--log_name=both", "--episodes=4", "--greedy")
    assert [report["action_choice"] for report in reports(cartpole, "both")] == [
        "greedy",
        "sampled",
    ]


def test_an_evaluation_leaves_the_run_as_it_was(cartpole: Path) -> None:
    files = (*cartpole.glob("checkpoints/*"), *cartpole.glob(f"logs/runs/{NAME}/*.*"))
    before = {path: path.read_bytes() for path in files}
    evaluate(cartpole, f"--log_name={NAME}", "--episodes=2")
    assert {path: path.read_bytes() for path in files} == before
    assert len(reports(cartpole, NAME)) == 1


def test_a_film_shows_every_step_of_an_episode_on_the_real_screen(
    pong: Path, capsys: Captured
) -> None:
    evaluate(pong, "--log_name=film", "--episodes=2", "--video")
    written = re.search(r"^video +(\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert written is not None
    film = cv2.VideoCapture(str(pong / written[1]))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(60 / 4)
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1])
    film.release()
    assert len(frames) == 31  # the first screen and one after each of 30 steps
    # Twice the console's 210 x 160, a dark strip with two lines of text below, a column beside.
    assert frames[0].shape == (488, 320 + 360, 3)
    assert frames[0][:420, :320].std() > 5
    assert frames[0][420:, :320].mean() < 80
    assert frames[-1][:, 320:].mean() > frames[0][:, 320:].mean() + 0.5  # the curves have grown
    (report,) = reports(pong, "film")
    assert report["length"] == summarize([30.0, 30.0])


def test_a_film_changes_no_score(cartpole: Path) -> None:
    evaluate(cartpole, "--log_name=plain", "--episodes=4")
    evaluate(cartpole, "--log_name=filmed", "--episodes=4", "--video")
    (plain,), (filmed,) = reports(cartpole, "plain"), reports(cartpole, "filmed")
    assert plain == filmed


def test_a_recipe_that_contradicts_the_checkpoint_is_refused_with_a_table(
    cartpole: Path, capsys: Captured
) -> None:
    other = write_recipe(cartpole / "other", CARTPOLE, EnvID="Acrobot-v1")
    evaluate(cartpole, "--log_name=refused", f"--config_path={other}", code=3)
    message = capsys.readouterr().err
    assert re.search(r"key +wanted +found in the checkpoint", message)
    assert re.search(r"EnvID +Acrobot-v1 +CartPole-v1", message)
    assert f"--config_path=logs/runs/{NAME}/config.conf, the recipe of its own run" in message
    assert reports(cartpole, "refused") == []


def test_what_a_recipe_does_not_state_comes_from_the_checkpoint(
    cartpole: Path, capsys: Captured
) -> None:
    recipe = cartpole / "silent.conf"
    recipe.write_text("EnvType = classic_control\nEnvID = CartPole-v1\n")
    silent = (f"--config_path={recipe}", f"--load_model_path={CHECKPOINT}", "--episodes=1")
    assert run_here(cartpole, "--eval", *silent, "--log_name=silent") == 0
    assert len(reports(cartpole, "silent")) == 1
    stated = ("--log_name=stated", "--set", "StateHiddenSizes=7")
    assert run_here(cartpole, "--eval", *silent, *stated) == 3
    assert re.search(r"StateHiddenSizes +7 +16, 16", capsys.readouterr().err)


def test_another_protocol_is_played_and_said(pong: Path, capsys: Captured) -> None:
    other = ("--episodes=2", "--set", "MaxStepPerEpisode=7", "--set", "StickyAction=False")
    evaluate(pong, "--log_name=protocol", "--episodes=2")
    assert "not that of training" not in capsys.readouterr().out
    evaluate(pong, "--log_name=protocol", *other)
    words = "StickyAction = False (in training True)"
    assert f"not that of training: MaxStepPerEpisode = 7 (in training 30), {words}" in (
        capsys.readouterr().out
    )
    first, second = sorted(reports(pong, "protocol"), key=lambda report: -report["length"]["mean"])
    assert first["protocol_changes"] == {}
    assert first["protocol"]["ActionProb"] == "0.25"
    assert second["protocol_changes"] == {
        "MaxStepPerEpisode": {"trained": "30", "evaluated": "7"},
        "StickyAction": {"trained": "True", "evaluated": "False"},
    }
    assert second["protocol"]["StickyAction"] == "False"
    assert second["length"] == summarize([7.0, 7.0])


def test_what_shapes_the_network_is_refused_on_the_command_line_too(
    pong: Path, capsys: Captured
) -> None:
    evaluate(pong, "--log_name=shape", "--set", "FrameSkip=2", code=3)
    assert re.search(r"FrameSkip +2 +4", capsys.readouterr().err)


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_a_checkpoint_that_is_none_is_refused_by_name(
    cartpole: Path, tmp_path: Path, content: bytes | None, capsys: Captured
) -> None:
    path = tmp_path / "bad.ckpt"
    if content is not None:
        path.write_bytes(content)
    arguments = (f"--config_path={cartpole / 'recipe.conf'}", f"--load_model_path={path}")
    assert run_here(cartpole, "--eval", *arguments) == 3
    assert capsys.readouterr().err.startswith(f"error: {path}: ")
