"""Rows 13 and 14: a disk that is full at a save, and a process that is killed during one."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.errors import StorageError
from tests.checkpoint_files import payload
from tests.faults.disks import fill, small_disk
from tests.faults.figures import Figures, count
from tests.records import checkpoint_path, read_status
from tests.runs import CARTPOLE, run_here, started, write_recipe
from training.checkpoints.storage import Payload, Saver, companions, load_payload

PROJECT = Path(__file__).resolve().parents[2]
NAME = "demo"
GOES_ON = "make room there, then the same command with --resume goes on\n"
MIB = 2**20

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 5 * MIB) as path:
        yield path


def save_or_error(path: Path, content: Payload) -> str | None:
    """Save; return the message of a refusal without the commas of its numbers."""
    try:
        Saver(path).save(content, is_best=False)
    except StorageError as error:
        return str(error).replace(",", "")
    return None


def test_the_old_checkpoint_stays_whatever_room_there_is(figures: Figures, disk: Path) -> None:
    draw, path, kept = np.random.default_rng(13), disk / "demo.ckpt", 0
    Saver(path).save(payload(kept), is_best=True)
    for number in range(1, count(50, 500) + 1):
        weights = torch.full((int(draw.integers(1_000, 200_000)),), float(number))
        ballast = fill(disk, free=int(draw.integers(0, 2 * MIB)))
        with figures.trial(13, "saves without room") as trial:
            error = save_or_error(path, {"number": number, "weights": weights})
            trial.kind = "refused" if error else "there was room"
            if error is None:
                kept = number
            else:
                assert "No space left" in error
                ((needed, free),) = re.findall(r"needs (\d+) bytes and (\d+) are free", error)
                assert int(free) < 4 * len(weights) < int(needed)
            assert load_payload(path)["number"] == kept
            assert {file.name for file in disk.iterdir()} <= {
                *(companion.name for companion in companions(path)),
                ballast.name,
            }
        ballast.unlink()


class FreeingHandler(logging.Handler):
    """Makes room as soon as a save has failed."""

    def __init__(self, ballast: Path) -> None:
        super().__init__()
        self.ballast = ballast
        self.failures = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.failures += "the next save tries again" in record.getMessage()
        self.ballast.unlink(missing_ok=True)


def test_a_run_tries_three_saves_and_goes_on_when_there_is_room_again(
    figures: Figures, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, saveCkptEvery=1)
    path = disk / "demo.ckpt"
    command = [f"--config_path={recipe}", f"--log_name={NAME}", f"--save_model_path={path}"]
    command = ["--train", "--num_workers=1", *command]
    assert run_here(tmp_path, *command, "--max_env_steps=64") == 0
    before = path.read_bytes()
    with figures.trial(13, "runs on a full disk"):
        ballast = fill(disk)
        assert run_here(tmp_path, *command, "--resume") == 7
        captured = capsys.readouterr()
        assert captured.out.count("the next save tries again") == 2
        assert "No space left" in captured.err
        assert captured.err.endswith(GOES_ON)
        assert path.read_bytes() == before
        status = read_status(tmp_path, NAME)
        assert (status["code"], status["rank"]) == (7, 0)
    with figures.trial(13, "runs on a disk that is full for a while"):
        handler = FreeingHandler(ballast)
        logging.getLogger("training.loop.patient_saver").addHandler(handler)
        try:
            assert run_here(tmp_path, *command, "--resume") == 0
        finally:
            logging.getLogger("training.loop.patient_saver").removeHandler(handler)
        assert handler.failures == 1
        assert load_payload(path)["env_steps"] == 256


@pytest.mark.slow
def test_a_run_that_cannot_write_anything_any_more_ends_with_code_7(
    figures: Figures, disk: Path, tmp_path: Path
) -> None:
    for name in ("logs", "checkpoints"):
        (disk / name).mkdir()
        (tmp_path / name).symlink_to(disk / name)
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    command = ["--train", f"--config_path={recipe}", f"--log_name={NAME}"]
    with figures.trial(13, "runs with all they write on a full disk"):
        with started(tmp_path, *command) as run:
            run.wait_for_rows(NAME, 6)
            ballast = fill(disk)
            ended = run.wait()
            assert ended.code == 7, ended.output
            assert ended.last_line.startswith("error: "), ended.output
            assert "No space left" in ended.last_line
            assert ended.output.endswith(GOES_ON)
            assert "Traceback" not in ended.output
        updates = load_payload(checkpoint_path(tmp_path, NAME))["updates"]
        ballast.unlink()
        more = f"--max_env_steps={32 * (updates + 20)}"
        assert run_here(tmp_path, *command, "--resume", more) == 0


KILL_DURING_SAVES = """
import os, random, select, signal, sys, time
from pathlib import Path
import torch
from training.checkpoints.storage import Saver, load_payload, newest_whole

def save(number):
    weights = torch.full((20_000,), float(number))
    Saver(path).save({"number": number, "weights": weights}, is_best=True)

torch.set_num_threads(1)
path, kills = Path(sys.argv[1]), int(sys.argv[2])
draw, survived = random.Random(3), 0
save(0)
start = time.monotonic()
save(1)
seconds = time.monotonic() - start
told, tells = os.pipe()
for index in range(kills):
    child = os.fork()
    if child == 0:
        number = load_payload(newest_whole(path))["number"]
        while True:
            number += 1
            os.write(tells, b".")
            save(number)
    for _ in range(1 + index % 2):
        os.read(told, 1)  # the first save begins; with every other child, the second
    time.sleep(draw.uniform(0.0, 2.0 * seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while select.select([told], [], [], 0)[0]:
        os.read(told, 1)
    found = newest_whole(path)
    if found is None:
        break
    payload = load_payload(found)
    if not bool((payload["weights"] == payload["number"]).all()):
        break
    survived += 1
print(survived, payload["number"])
"""


def test_a_process_killed_during_a_save_leaves_a_whole_checkpoint(
    figures: Figures, tmp_path: Path
) -> None:
    path, kills = tmp_path / "demo.ckpt", count(40, 200)
    saving = subprocess.run(
        [sys.executable, "-c", KILL_DURING_SAVES, str(path), str(kills)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    survived, saves = map(int, saving.stdout.split())
    figures.add(14, "saves killed", survived, kills)
    assert survived == kills, saving.stderr
    assert saves >= kills / 2  # every other one had saved something
    parts = [p.name for p in tmp_path.iterdir() if p not in companions(path)]
    assert all(name.startswith(".") and name.endswith(".tmp") for name in parts)
    assert not [name for name in parts if Path(name).match("*.ckpt")]
