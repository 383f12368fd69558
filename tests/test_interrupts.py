"""Evaluations and exports that are interrupted: one sentence, the code, nothing half written."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.records import figures
from tests.runs import CARTPOLE, run_here, started, write_recipe
from training.folders.files import replace_file

NAME = "demo"
CHECKPOINT = f"--load_model_path=checkpoints/{NAME}.ckpt"
ENDLESS = (CHECKPOINT, "--episodes=1000000", "--save_rollouts")

pytestmark = pytest.mark.timeout(300)


def train(folder: Path, **values: object) -> str:
    recipe = write_recipe(folder, CARTPOLE, **({"TotalEnvSteps": 32} | values))
    assert run_here(folder, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    return f"--config_path={recipe}"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_evaluation_ends_in_one_sentence(number: signal.Signals, tmp_path: Path) -> None:
    recipe = train(tmp_path)
    with started(tmp_path, "--eval", recipe, "--num_workers=1", *ENDLESS) as run:
        rollouts = f"logs/runs/{NAME}/evaluation"
        run.wait_until(lambda: any((tmp_path / rollouts).glob("*/manifest.json")))
        run.process.send_signal(number)
        ended = run.wait()
        assert run.left_after(20) == []
    assert ended.code == 128 + number
    assert ended.last_line == f"interrupted ({number.name}); what was written before is whole"
    assert "Traceback" not in ended.output
    assert not list((tmp_path / rollouts).glob("*.json"))
    dataset = next((tmp_path / rollouts).iterdir())
    assert run_here(tmp_path, "--data", "verify", str(dataset)) == 0


@pytest.mark.slow
def test_an_export_that_is_interrupted_at_its_start_leaves_nothing(tmp_path: Path) -> None:
    recipe = train(tmp_path)
    with started(tmp_path, "--export", recipe, CHECKPOINT) as run:
        run.wait_until(lambda: bool(run.processes()))
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert not (tmp_path / "exports").exists()


def test_an_interrupt_that_an_environment_raises_is_its_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = train(tmp_path)
    variant = ("--set=EnvType=gymnasium", "--set=EnvID=tests.interrupting_pole:InterruptingPole-v0")
    in_rank = "--set=WorkerBackend=in_process"
    assert run_here(tmp_path, "--eval", recipe, CHECKPOINT, in_rank, *variant) == 4
    assert "raised an exception: KeyboardInterrupt" in capsys.readouterr().err


def test_a_write_that_is_interrupted_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "page.html", b"old")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "page.html", b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_run_copied_to_another_place_goes_on_there_as_it_would_have(tmp_path: Path) -> None:
    """With what its lock said when the copy was made: that a process elsewhere is at it."""
    for place in ("whole", "half"):
        train(tmp_path / place, TotalEnvSteps=64)
    (tmp_path / "half").rename(tmp_path / "other")
    lock = tmp_path / "other" / "logs" / "runs" / NAME / "run.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere", "process_start": "1"}))
    for place in ("whole", "other"):
        recipe = f"--config_path={tmp_path / place / 'recipe.conf'}"
        resume = ("--resume", f"--log_name={NAME}", "--max_env_steps=128")
        assert run_here(tmp_path / place, "--train", recipe, *resume) == 0
    whole, other = (
        [
            {key: value for key, value in row.items() if key.startswith(("losses/", "intrinsic/"))}
            for row in figures(tmp_path / place, NAME)
        ]
        for place in ("whole", "other")
    )
    assert whole == other
    assert len(whole) == 4
