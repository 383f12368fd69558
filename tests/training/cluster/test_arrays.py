"""Arrays of jobs as Slurm runs them: all tasks together do what one process does."""

import secrets
import signal
import time
from pathlib import Path

import pytest

from tests.multinode.slurm import job_file, submitted, task, work_folder
from tests.runs import DEADLINE, run_here
from tests.training.collecting.sets import IN_RANK, NOISE, numbers_of
from tests.training.collecting.sets import episodes_of as digests_of
from tests.training.collecting.test_many_processes import has_written
from tests.training.offline.made import square, train, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run_task(job: Path, folder: Path, number: int, code: int = 0) -> str:
    """Run a task to its end; return what it says."""
    with submitted(job, task(folder, number)) as process:
        words, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == code, words
    return words


def test_four_tasks_that_encode_are_one_process_bit_for_bit(tmp_path: Path) -> None:
    work = work_folder(tmp_path)
    write(work / "D", [square(n, steps=5 + 3 * n) for n in range(9)])
    small = ("--train_steps=2", "--batch_size=2", "--representation_size=4")
    assert train(work, "--model=vae.Vae", *small) == 0
    words = "--config_path=recipe.conf --model=E --dataset=D"
    assert run_here(work, "--encode", *words.split(), "--out_dir=one") == 0
    job = job_file(work, "STAGE=encode", "TASKS=4", f"ARGS={words} --out_dir=four")
    for number in (3, 1, 0, 2):
        assert run_task(job, tmp_path, number).splitlines()[-1] == "done"
    assert digests_of(work / "four") == digests_of(work / "one")
    assert len(list((work / "four").glob("shard-*"))) == 4
    assert "4: it is a number from 0 below" in run_task(job, tmp_path, 4, code=2)
    assert not (tmp_path / "requeued").exists()


def test_a_task_that_is_pre_empted_goes_on_where_it_was(tmp_path: Path) -> None:
    work = work_folder(tmp_path)
    words = " ".join((*NOISE, *IN_RANK, "--num_rollouts=400", "--out_dir=set"))
    job = job_file(work, "STAGE=collect", "TASKS=2", f"ARGS={words}")
    stopped = submitted(job, task(tmp_path, 1), secrets.token_hex(8))
    end = time.monotonic() + DEADLINE
    while not has_written(work / "set"):
        assert stopped.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    stopped.send_signal(signal.SIGTERM)
    said, _ = stopped.communicate(timeout=DEADLINE)
    assert stopped.returncode == 0, said
    assert said.splitlines()[-1] == "goes back into the queue (code 75)"
    assert (tmp_path / "requeued").read_text() == "77_1\n"
    before = digests_of(work / "set")
    assert 0 < len(before) < 200
    for number in (1, 0):
        run_task(job, tmp_path, number)
    assert before.items() <= digests_of(work / "set").items()
    assert numbers_of(work / "set") == list(range(400))
