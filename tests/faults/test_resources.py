"""Row 21: too little shared memory, too few file descriptors, too little memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import StorageError
from tests.faults.figures import Figures
from tests.runs import CARTPOLE, MAIN, run_here, write_recipe
from tests.workers.pool_probes import GameProbe
from workers.shared.shared_arrays import allocate, field_table

NAME = "demo"

pytestmark = pytest.mark.timeout(600)


def test_more_memory_than_there_is_is_refused_before_any_is_taken(figures: Figures) -> None:
    with figures.trial(21, "shared arrays beyond all memory refused"):
        table = field_table(GameProbe.environment_spec, 10**12, 1)
        with pytest.raises(StorageError, match=r"need [\d,]+ bytes.*available: [\d,]+ bytes") as no:
            allocate(table)
        assert "lower NumEnv" in str(no.value)


def num_open() -> int:
    """Return how many descriptors this process has, those of whatever runs the tests among them."""
    return len(os.listdir("/proc/self/fd"))


def test_a_run_with_too_few_file_descriptors_is_refused_with_the_remedy(
    figures: Figures, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, NumEnv=32)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=32")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with figures.trial(21, "runs with too few descriptors refused"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (num_open() + 40, hard))
        try:
            assert run_here(tmp_path, *command) == 2
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        message = capsys.readouterr().err
        assert "32 worker processes need" in message
        assert "ulimit -n" in message


def run_in_shell(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "conditions"),
    [
        ("with 64 descriptors", "ulimit -n 64"),
        ("with a /dev/shm of 64 kB", "mount -t tmpfs -o size=64k tmpfs /dev/shm"),
    ],
)
def test_a_run_trains_under_tight_limits(
    how: str, conditions: str, figures: Figures, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    may = run_in_shell(f"unshare --mount sh -c '{conditions}'", tmp_path)
    if may.returncode:
        pytest.skip(f"not permitted here: {may.stderr.strip()}")
    arguments = f"--train --config_path={recipe} --log_name={NAME} --num_workers=2"
    program = f"{conditions} && exec {sys.executable} {MAIN} {arguments}"
    with figures.trial(21, f"runs {how}"):
        ended = run_in_shell(f"unshare --mount sh -c '{program}'", tmp_path)
        assert ended.returncode == 0, ended.stderr
