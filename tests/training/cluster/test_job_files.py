"""What make slurm writes: job files that the shell, torchrun and main.py take."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.run import get_args_parser

from commands.slurm import main
from commands.verbs import VERBS, build_parser, checked_verb
from tests.multinode.slurm import job_file, work_folder
from tests.runs import CARTPOLE, MAIN, write_recipe
from training.cluster.stages import STAGES

Captured = pytest.CaptureFixture[str]
ODD = "a 'b' \"c\" * ; é ! \\ # @WORDS@ & (x)"
WORDS = {
    "collect": "--num_rollouts 9 --environment CartPole-v1 --out_dir data/car",
    "encode": "--model runs/vae --dataset 'data/c*r' --out_dir data/car_z",
    "train": "--set Gamma=0.9",
    "train_encoder": "--dataset data/car --model_dir runs/vae",
    "train_dynamics": "--dataset data/car_z --model_dir runs/mdn",
}
HERE = [name for name in STAGES if name in VERBS]
# Prints what it is told, as the shell would have to be told it.
PRINTS = "#!/bin/bash\nprintf '%q ' \"$@\"\necho\n"


def write_job(folder: Path, stage: str, *variables: str, words: str | None = None) -> Path:
    """Write the job file of a stage in a folder that has a recipe."""
    write_recipe(folder, CARTPOLE)
    recipe = ("CONFIG=recipe.conf",) if stage == "train" else ()
    args = WORDS[stage] if words is None else words
    return job_file(folder, f"STAGE={stage}", *recipe, f"ARGS={args}", *variables)


def with_programs(job: Path, **programs: str) -> dict[str, str]:
    """Put programs in the place of python, torchrun and Slurm's; return the variables of a job."""
    folder = job.parent / "programs"
    folder.mkdir(exist_ok=True)
    slurm = {
        "srun": '#!/bin/bash\nexec "${@:2}"\n',
        "scontrol": f'#!/bin/bash\n[ "$1" = show ] && echo first || echo "$@" >> {folder}/asked\n',
    }
    for name, text in {**slurm, **programs}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    text = re.sub(r"\bBIN=\S+", f"BIN={shlex.quote(str(folder))}", job.read_text())
    job.write_text(text)
    return os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "nodes",
        "SLURM_NNODES": "2",
        "SLURM_NODEID": "1",
        "SLURMD_NODENAME": "second",
        "SLURM_CPUS_PER_TASK": "6",
        "SLURM_ARRAY_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": "2",
    }


def run(job: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a job file to its end, where it is."""
    return subprocess.run(
        ["bash", str(job)],
        cwd=job.parent,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def parsed(words: list[str]) -> Any:
    parser = build_parser()
    arguments = parser.parse_args(words)
    checked_verb(parser, arguments)
    return arguments


@pytest.mark.parametrize("stage", HERE)
def test_a_job_file_is_one_that_the_shell_takes(stage: str, tmp_path: Path) -> None:
    for variables in ((), ("GPUS=2", "TIME=1-12", "CPUS=24", "MOST_STARTS=7")):
        job = write_job(tmp_path, stage, *variables)
        subprocess.run(["bash", "-n", str(job)], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", str(job)], check=True)
        text = job.read_text()
        assert ("--gpus-per-node=2\n" in text) == bool(variables)
        assert not re.search(r"@[A-Z_]+@", text)
    for line in ("#SBATCH --time=1-12", "#SBATCH --cpus-per-task=24", "MOST_STARTS=7"):
        assert f"{line}\n" in text


@pytest.mark.parametrize("stage", [name for name in HERE if not STAGES[name].is_array])
def test_a_job_of_ranks_says_what_torchrun_and_main_take(stage: str, tmp_path: Path) -> None:
    job = write_job(work_folder(tmp_path), stage, "NODES=2", "GPUS=3")
    done = run(job, with_programs(job, torchrun=PRINTS))
    words = get_args_parser().parse_args(shlex.split(done.stdout.splitlines()[0]))
    assert (words.nnodes, words.nproc_per_node, words.rdzv_conf) == ("2", "3", "is_host=0")
    assert (words.local_addr, words.rdzv_endpoint) == ("second", "first:24711")
    assert words.training_script == "main.py"
    arguments = parsed(words.training_script_args)
    assert arguments.resume
    assert getattr(arguments, stage)
    assert "#SBATCH --nodes=2\n" in job.read_text()


def test_a_task_of_an_array_is_told_its_share(tmp_path: Path) -> None:
    work = work_folder(tmp_path)
    for stage, share in (
        ("collect", ("instance", "num_instances")),
        ("encode", ("outer_shard_index", "num_outer_shards")),
    ):
        job = write_job(work, stage, "TASKS=5")
        assert "#SBATCH --array=0-4\n" in job.read_text()
        done = run(job, with_programs(job, python=PRINTS))
        words = shlex.split(done.stdout.splitlines()[0])
        arguments = parsed(words[1:])
        assert words[0] == "main.py"
        assert tuple(getattr(arguments, name) for name in share) == (2, 5)
        if stage == "collect":
            assert (arguments.resume, arguments.parallelism) == (True, 6)
    own = write_job(work, "collect", "TASKS=5", words=f"{WORDS['collect']} --parallelism=3")
    done = run(own, with_programs(own, python=PRINTS))
    assert parsed(shlex.split(done.stdout.splitlines()[0])[1:]).parallelism == 3


def test_odd_names_reach_main_as_they_were_typed(tmp_path: Path) -> None:
    work = work_folder(tmp_path)
    words = ["--dataset", ODD, f"--model_dir={ODD}", "--set", "Gamma=0.9"]
    job = write_job(work, "train_encoder", words=shlex.join(words))
    done = run(job, with_programs(job, torchrun=PRINTS))
    said = get_args_parser().parse_args(shlex.split(done.stdout.splitlines()[0]))
    arguments = parsed(said.training_script_args)
    assert (arguments.dataset, arguments.model_dir) == (ODD, Path(ODD))
    assert re.search(r"^#SBATCH --job-name=[\w.-]+$", job.read_text(), re.MULTILINE)


QUEUED = {75: True, 137: True, 143: True, 139: True, 128: True}
LEFT = {1: False, 2: False, 3: False, 7: False, 126: False, 127: False}


@pytest.mark.parametrize(("code", "again"), [*QUEUED.items(), *LEFT.items(), (6, False)])
def test_a_task_goes_back_into_the_queue_where_it_was_stopped_or_killed(
    code: int, again: bool, tmp_path: Path
) -> None:
    job = write_job(work_folder(tmp_path), "encode")
    done = run(job, with_programs(job, python=f"#!/bin/sh\nexit {code}\n"))
    asked = job.parent / "programs" / "asked"
    assert (asked.exists(), done.returncode) == (again, 0 if again else code)
    assert not again or asked.read_text() == "requeue 77_2\n"


@pytest.mark.parametrize(
    ("code", "again"), [*QUEUED.items(), *LEFT.items(), (6, True), (None, True)]
)
def test_a_job_of_ranks_is_judged_by_the_code_in_its_folder(
    code: int | None, again: bool, tmp_path: Path
) -> None:
    """Of this start alone: what an earlier one left there says nothing."""
    work = work_folder(tmp_path)
    job = write_job(work, "train_encoder")
    status = work / "runs" / "vae" / "status.json"
    status.parent.mkdir(parents=True)
    written = f'{{"code": {"null" if code is None else code}}}'
    leaves = f"#!/bin/sh\necho '{written}' > {status}\nexit 1\n"
    python = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    asked = work / "programs" / "asked"
    variables = with_programs(job, torchrun=leaves, python=python)
    done = run(job, variables)
    assert (asked.exists(), done.returncode) == (again, 0 if again else code), done
    asked.unlink(missing_ok=True)
    done = run(job, with_programs(job, torchrun="#!/bin/sh\nexit 1\n", python=python))
    assert (asked.exists(), done.returncode) == (False, 1)
    assert list((work / "logs").iterdir()) == []


EXPERIMENT = """\
cart:
  run: PPO
  env: CartPole-v1
  local_dir: out
  stop: {timesteps_total: 100000}
  config: {num_workers: 4, num_gpus: 4}
"""


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ("--config_path=recipe.conf --local_dir 'a b'", "a b/logs/runs/recipe"),
        ("-f e.yaml", "out/logs/runs/cart"),
        ("-f e.yaml --local-dir=here --log_name=mine", "here/logs/runs/mine"),
    ],
)
def test_a_job_looks_for_the_code_where_main_leaves_it(
    words: str, folder: str, tmp_path: Path
) -> None:
    work = work_folder(tmp_path)
    write_recipe(work, CARTPOLE)
    (work / "e.yaml").write_text(EXPERIMENT)
    job = job_file(work, "STAGE=train", "NODES=2", "GPUS=2", f"ARGS={words}")
    status = work / folder / "status.json"
    status.parent.mkdir(parents=True)
    leaves = f"#!/bin/sh\necho '{{\"code\": 75}}' > '{status}'\nexit 1\n"
    python = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    done = run(job, with_programs(job, torchrun=leaves, python=python))
    assert (done.returncode, done.stdout) == (0, "goes back into the queue (code 75)\n")
    assert f"--log_name={status.parent.name}" in job.read_text()


def test_a_job_that_is_stopped_before_its_folder_is_there_goes_back_into_the_queue(
    tmp_path: Path,
) -> None:
    job = write_job(work_folder(tmp_path), "train_encoder")
    stopped = "#!/bin/sh\nkill -TERM $PPID\nsleep 0.2\nexit 1\n"
    done = run(job, with_programs(job, torchrun=stopped))
    assert done.returncode == 0, done
    assert (job.parent / "programs" / "asked").read_text() == "requeue 4711\n"


@pytest.mark.parametrize("stage", ["encode", "train_encoder"])
def test_a_job_is_started_so_often_and_no_more(stage: str, tmp_path: Path) -> None:
    job = write_job(work_folder(tmp_path), stage, "MOST_STARTS=3")
    killed = "#!/bin/sh\nexit 137\n"
    variables = with_programs(job, python=killed, torchrun=killed)
    codes = [
        run(job, variables | {"SLURM_RESTART_COUNT": str(count)}).returncode for count in range(3)
    ]
    assert codes == [0, 0, 1]
    asked = (job.parent / "programs" / "asked").read_text()
    assert asked.count("requeue") == 2


@pytest.mark.parametrize("stage", ["encode", "train_encoder"])
def test_a_job_that_is_submitted_from_elsewhere_says_so(stage: str, tmp_path: Path) -> None:
    job = write_job(tmp_path, stage)
    done = run(job, with_programs(job))
    assert done.returncode == 2
    assert "submit this file from Scout's folder" in done.stdout


def test_the_file_says_where_it_is_and_an_edited_one_is_kept(
    tmp_path: Path, capsys: Captured, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["STAGE=encode", f"ARGS=--encode {WORDS['encode']}"]
    job = tmp_path / "logs" / "slurm" / "encode-car_z.sbatch"
    assert main(words) == 0
    assert "sbatch logs/slurm/encode-car_z.sbatch\n" in capsys.readouterr().out
    assert job.read_text().count("--encode") == 2  # in the words once, and in what is said of it
    assert main(words) == 0  # the same again
    edited = job.read_text() + "# mine\n"
    job.write_text(edited)
    assert main(words) == 2
    assert "OVERWRITE=1 replaces it" in capsys.readouterr().err
    assert job.read_text() == edited
    assert main([*words, "OVERWRITE=1"]) == 0
    assert "# mine" not in job.read_text()
    assert main([*words, f"FILE={tmp_path}"]) == 7


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from commands.slurm import main;"
        f"assert main(['STAGE=encode', {'ARGS=' + WORDS['encode']!r}]) == 0;"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(MAIN.parent)},
        check=True,
    )


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", "slurm", "VENV=none", *words],
        cwd=MAIN.parent,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_hands_on_all_that_is_typed_letter_by_letter(tmp_path: Path) -> None:
    job = tmp_path / "a b.sbatch"
    args = "ARGS=--model runs/vae --dataset 'data/c*r (1)' --out_dir data/car_z"
    done = make("STAGE=encode", "TASKS=4", f"FILE={job}", args)
    assert done.returncode == 0, done.stderr
    assert f"submit it from this folder: sbatch '{job}'" in done.stdout
    assert "  --dataset 'data/c*r (1)'\n" in job.read_text()
    done = make("STAGE=encode", "TASK=4", f"FILE={job}", args)
    assert done.returncode == 2
    assert "did you mean TASKS? (exit code 2).  Stop." in done.stderr.splitlines()[-1]
