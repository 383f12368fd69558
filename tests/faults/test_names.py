"""Row 19: a second run of the same name, at once or later."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.figures import Figures, count
from tests.records import checkpoint_path, read_status, run_path
from tests.records import figures as rows_of
from tests.runs import CARTPOLE, run_main, started, write_recipe

PROJECT = Path(__file__).resolve().parents[2]
NAME = "demo"

pytestmark = pytest.mark.timeout(1800)

# Each round, four processes open the same name at once, fresh; the one that got it writes a result
# and is killed with the lock in its hand; then another one goes on with the run.
RACE = """
import os, signal, sys
from pathlib import Path
from configs.errors import ConfigurationError
from training.folders.run_folder import RunFolder

def contend(name, gate, tell):
    os.read(gate, 1)
    try:
        with RunFolder.open(root, name, mode="fresh") as run:
            (run.path / "metrics.jsonl").write_text(f"{os.getpid()}\\n")
            os.write(tell, b"held ")
            signal.pause()
    except ConfigurationError as error:
        refusals = ("is in use by process", "already holds results")
        os.write(tell, b"refused " if any(words in str(error) for words in refusals) else b"? ")
    finally:
        os._exit(0)

root, rounds, told = Path(sys.argv[1]), int(sys.argv[2]), 0
for number in range(rounds):
    gate, opens = os.pipe()
    hears, tell = os.pipe()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            contend(f"run{number}", gate, tell)
        children.append(child)
    os.write(opens, b"xxxx")
    words = b""
    while words.count(b" ") < 4:
        words += os.read(hears, 100)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for end in (gate, opens, hears, tell):
        os.close(end)
    with RunFolder.open(root, f"run{number}", mode="resume") as run:
        holder = int((run.path / "metrics.jsonl").read_text())
    told += sorted(words.split()) == [b"held", *[b"refused"] * 3] and holder in children
print(told)
"""


def test_of_several_that_take_a_name_at_once_one_gets_it_and_its_death_frees_it(
    figures: Figures, tmp_path: Path
) -> None:
    rounds = count(10, 200)
    race = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path), str(rounds)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert race.returncode == 0, race.stderr
    figures.add(19, "names fought over by four", int(race.stdout), rounds)
    assert int(race.stdout) == rounds


@pytest.mark.slow
def test_a_run_is_not_touched_by_a_second_one_and_its_name_is_free_after_its_death(
    figures: Figures, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    for _ in range(count(1, 3)):
        with figures.trial(19, "runs beside which a second was started") as trial:
            with started(tmp_path, *command, "--overwrite") as first:
                first.wait_for_rows(NAME, 5)
                for more in ((), ("--resume",), ("--overwrite",)):
                    second = run_main(tmp_path, *command, *more)
                    assert second.code == 2, second.output
                    assert f"process {first.process.pid} on host" in second.output or not more
                first.process.kill()
            rows = len(rows_of(tmp_path, NAME))
            assert rows >= 5
            began = time.monotonic()
            saved = checkpoint_path(tmp_path, NAME)
            assert saved.exists()
            resumed = run_main(tmp_path, *command, "--resume", "--max_env_steps=64")
            trial.took("taken over", time.monotonic() - began)
            assert resumed.code == 0, resumed.output
            assert read_status(tmp_path, NAME)["code"] == 0
            assert run_path(tmp_path, NAME).exists()
