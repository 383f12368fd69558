"""How a run ends for the one who started it: by hand, by make, by torchrun."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.architecture.test_floors import ROOT
from tests.calm import NAME, STOPPED, assert_stopped_and_saved
from tests.on_terminal import CONTROL_C, OnTerminal, on_terminal
from tests.records import checkpoint_path, read_status, run_path
from tests.runs import CARTPOLE, MAIN, free_port, run_main, started, write_recipe

MOST = 1_000_000  # env steps
MAKE_FAILED = 2
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.timeout(600)


def has_rows(folder: Path) -> bool:
    path = run_path(folder, NAME) / "metrics.jsonl"
    return path.exists() and path.stat().st_size > 0


def make_train(folder: Path, *variables: str) -> list[str]:
    """Return make's command in a folder that holds nothing but links to the project."""
    folder.mkdir(exist_ok=True)
    for name in ("Makefile", "main.py"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    names = ("CONFIG=recipe.conf", f"LOG_NAME={NAME}", "VENV=none")
    return ["make", "train", *names, *variables]


def environment_of_make() -> dict[str, str]:
    """As where no other make, such as that of the tests, stands above it."""
    own = {"MAKEFLAGS": "", "MAKELEVEL": "0"}
    return own | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def refused_by_make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Let make fail, in a folder that has the project's Makefile."""
    if not (folder / "Makefile").exists():
        (folder / "Makefile").symlink_to(ROOT / "Makefile")
    ended = subprocess.run(
        ["make", *words, "VENV=none"],
        cwd=folder,
        env=os.environ | environment_of_make(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == MAKE_FAILED
    return ended


@contextmanager
def made_on_terminal(folder: Path, *variables: str) -> Iterator[OnTerminal]:
    command = make_train(folder, *variables)
    with on_terminal(folder, *command, more=environment_of_make()) as program:
        yield program


@pytest.mark.slow
def test_a_terminal_that_is_closed_stops_a_run_which_saves_in_silence(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=MOST)
    command = (sys.executable, str(MAIN), "--train", f"--config_path={recipe}")
    with on_terminal(tmp_path, *command, f"--log_name={NAME}") as program:
        program.wait_until(lambda: has_rows(tmp_path))
        program.hang_up()
        assert program.wait() == STOPPED
    assert_stopped_and_saved(tmp_path, by="SIGHUP")


def test_a_refusal_under_make_is_the_last_line_in_makes_words(tmp_path: Path) -> None:
    _, *words = make_train(tmp_path, "CONFIG=missing.conf")
    ended = refused_by_make(tmp_path, *words)
    assert "name a recipe with CONFIG" in ended.stderr.splitlines()[-1]
    assert "(exit code 2)" in ended.stderr.splitlines()[-1]
    assert list(tmp_path.glob("logs/*")) == []


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (["plots", "RUNS=nobody"], "run 'nobody'"),
        (["study", "ARGS=--jobs 0"], "--jobs and --env_steps must be at least 1"),
    ],
)
def test_what_is_drawn_or_studied_is_refused_in_the_last_line_too(
    goal: list[str], words: str, tmp_path: Path
) -> None:
    last = refused_by_make(tmp_path, *goal).stderr.splitlines()[-1]
    assert words in last
    assert "(exit code 2)" in last


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            "CONFG=configs/other.conf",
            "CONFG= is no variable of this Makefile; did you mean CONFIG?",
        ),
        ("log_name=other", "did you mean LOG_NAME?"),
        ("XYZZY=1", "XYZZY= is no variable of this Makefile; `make` lists all"),
    ],
)
def test_a_misspelt_variable_of_make_is_refused_before_anything_runs(
    typed: str, words: str, tmp_path: Path
) -> None:
    _, *words_of_make = make_train(tmp_path, typed)
    ended = refused_by_make(tmp_path, *words_of_make)
    assert words in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("trian", "no target trian; did you mean make train? (make alone lists all)"),
        ("xyzzy", "no target xyzzy (make alone lists all)"),
    ],
)
def test_a_misspelt_target_of_make_is_answered_with_the_nearest(
    typed: str, words: str, tmp_path: Path
) -> None:
    assert refused_by_make(tmp_path, typed).stderr.splitlines()[0] == words


@pytest.mark.parametrize("typed", ["test", "tests"])
def test_the_tests_run_by_the_name_of_their_folder_too(typed: str) -> None:
    command = ["make", "-n", "--no-print-directory", typed, "VENV=none"]
    environment = os.environ | environment_of_make()
    told = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
    assert "-m pytest" in told


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ((), "make eval CONFIG=configs/demo_config.conf\n"),
        (("LOG_NAME=mine", "VENV=none"), "make eval CONFIG=configs/demo_config.conf LOG_NAME=mine"),
        (("CKPT=a.ckpt",), "make continue_training CONFIG=configs/demo_config.conf CKPT=a.ckpt"),
    ],
)
def test_what_make_says_to_type_next_means_the_same_run(typed: tuple[str, ...], again: str) -> None:
    environment = os.environ | environment_of_make()
    command = ["make", "--no-print-directory", "where", *typed]
    assert again in subprocess.check_output(command, cwd=ROOT, env=environment, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_ctrl_c_under_make_ends_with_the_runs_own_sentence(ranks: int, tmp_path: Path) -> None:
    write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=MOST)
    with made_on_terminal(tmp_path, f"NPROC={ranks}") as program:
        program.wait_until(lambda: has_rows(tmp_path))
        program.press(CONTROL_C)
        assert program.wait() == -signal.SIGINT  # as make does with every recipe
    assert program.lines[-1].startswith("stopped on request (SIGINT)")
    assert program.lines[-1].endswith("the same command with RESUME=1 continues")
    assert_stopped_and_saved(tmp_path, by="SIGINT")


@pytest.mark.slow
def test_a_failure_under_make_with_several_ranks_keeps_its_code(tmp_path: Path) -> None:
    write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=MOST)
    (tmp_path / "checkpoints").mkdir()
    checkpoint_path(tmp_path, NAME).write_bytes(b"no checkpoint")
    with made_on_terminal(tmp_path, "NPROC=2", "RESUME=1") as program:
        assert program.wait() == MAKE_FAILED
    assert "not a checkpoint of this program" in program.lines[-1]
    assert "(exit code 3)" in program.lines[-1]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_under_nohup_and_make_goes_on_without_its_terminal(
    ranks: int, tmp_path: Path
) -> None:
    write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=64 * 200)
    command = ["nohup", *make_train(tmp_path, f"NPROC={ranks}")]
    with on_terminal(tmp_path, *command, more=environment_of_make()) as program:
        program.wait_until(lambda: has_rows(tmp_path))
        os.killpg(program.process.pid, signal.SIGHUP)
        program.wait()
    assert read_status(tmp_path, NAME)["code"] == 0


@pytest.mark.slow
def test_a_run_that_died_without_a_word_is_told_by_the_next_start(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=MOST)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command) as run:
        run.wait_until(lambda: checkpoint_path(tmp_path, NAME).exists())
        run.kill()
    assert read_status(tmp_path, NAME)["code"] is None
    again = run_main(tmp_path, *command, "--resume", "--max_env_steps=64")
    assert again.code == 0, again.output
    assert f"run '{NAME}' died without a word" in again.output


@pytest.mark.slow
def test_two_runs_do_not_share_a_checkpoint_that_is_not_written_yet(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, ObsNormStep=MOST)
    command = ("--train", f"--config_path={recipe}", "--save_model_path=shared/one.ckpt")
    with started(tmp_path, *command, "--log_name=first") as first:
        first.wait_for_words("warm-up")
        second = run_main(tmp_path, *command, "--log_name=second")
        assert second.code == 2
        assert "--save_model_path=shared/one.ckpt is in use by process" in second.last_line
        assert str(first.process.pid) in second.last_line
        first.kill()
    third = run_main(tmp_path, *command, "--log_name=third", "--set=ObsNormStep=1")
    assert third.code == 0, third.output


@pytest.mark.slow
def test_a_second_ctrl_c_is_told_in_the_runs_status(tmp_path: Path) -> None:
    """The first one finds a disk that hangs: a pipe that nobody writes to."""
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=MOST, saveCkptEvery=1000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    checkpoint = checkpoint_path(tmp_path, NAME)
    with started(tmp_path, *command) as run:
        run.wait_for_rows(NAME, 2)
        checkpoint.parent.mkdir(exist_ok=True)
        os.mkfifo(checkpoint)
        run.process.send_signal(signal.SIGINT)
        time.sleep(1.5)  # signals within a second are one wish
        run.process.send_signal(signal.SIGINT)
        ended = run.wait()
    assert ended.code in (-signal.SIGINT, 128 + signal.SIGINT)
    assert ended.last_line.startswith("ended at once by a second SIGINT")
    assert read_status(tmp_path, NAME)["code"] == 128 + signal.SIGINT


def test_ctrl_c_before_all_ranks_have_come_is_answered(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    alone = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command, environment=alone) as run:
        run.wait_until(lambda: waits_for_peers(run.process.pid))
        run.process.send_signal(signal.SIGINT)
        ended = run.wait()
    assert ended.code == STOPPED
    assert ended.last_line == (
        "stopped on request (SIGINT) before all ranks had come; nothing was begun"
    )


def waits_for_peers(pid: int) -> bool:
    """Whether the process listens for other ranks, and so has its signal handlers."""
    states = [connection.status for connection in psutil.Process(pid).net_connections()]
    return psutil.CONN_LISTEN in states
