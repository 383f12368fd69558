"""docs/multinode.md and the files beside it: what they say is what the programs take."""

import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from torch.distributed.run import get_args_parser

from commands.verbs import build_parser, checked_verb
from tests.multinode.nodes import Node
from tests.multinode.slurm import slurm
from tests.records import checkpoint_path, read_status
from tests.runs import CARTPOLE, DEADLINE, MAIN, MARKER, write_recipe
from training.checkpoints.storage import load_payload

ROOT = MAIN.parent
GUIDE = ROOT / "docs" / "multinode.md"
SBATCH = ROOT / "docs" / "cluster" / "train.sbatch"
JOB = ROOT / "docs" / "cluster" / "job.yaml"
NAME = "demo"
SAVED = 75

Nodes = tuple[Node, Node]


def torchrun_line(words: str) -> tuple[Any, Any]:
    """Return what torchrun and main.py make of a command line, from torchrun's flags on."""
    parsed = get_args_parser().parse_args(shlex.split(words))
    assert parsed.training_script == "main.py"
    parser = build_parser()
    arguments = parser.parse_args(parsed.training_script_args)
    checked_verb(parser, arguments)
    assert (ROOT / arguments.config_path).is_file()
    return parsed, arguments


def expanded(command: str, **variables: str) -> str:
    """Return torchrun's flags as the shell would give them."""
    script = command.replace("exec ", "", 1)
    script = re.sub(r'"?[\w$/]*torchrun"?', "printf '%q '", script, count=1)
    done = subprocess.run(
        ["bash", "-uc", script],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_torchrun_line_of_the_guide_is_one_that_both_programs_take() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if "torchrun -" in line]
    assert len(lines) >= 2
    for line in lines:
        parsed, _ = torchrun_line(line.split("torchrun ", 1)[1])
        assert parsed.rdzv_backend == "c10d"


def test_every_variable_and_file_that_the_guide_explains_is_used() -> None:
    guide = GUIDE.read_text()
    for name in (
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE",
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT",
        "GLOO_SOCKET_IFNAME",
        "NCCL_SOCKET_IFNAME",
        "--local-addr",
        "is_host",
        "cluster/train.sbatch",
        "cluster/job.yaml",
    ):
        assert name in guide


def test_the_batch_script_is_one_that_the_shell_takes() -> None:
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(SBATCH)], check=True)


def test_the_batch_scripts_command_is_one_that_both_programs_take() -> None:
    [command] = re.findall(r"bash -c '\n(.*?)\n'", SBATCH.read_text(), re.DOTALL)
    variables = {
        "SCOUT_BIN": ".venv/bin",
        "SLURM_NNODES": "2",
        "RANKS_PER_NODE": "2",
        "SLURM_JOB_ID": "4711",
        "endpoint": "first:20001",
        "CONFIG": "configs/MontezumaRevenge/config_rnd00.conf",
        "NAME": "demo",
    }
    for number, name in enumerate(("first", "second")):
        words = expanded(command, **variables, SLURM_NODEID=str(number), SLURMD_NODENAME=name)
        parsed, arguments = torchrun_line(words)
        assert (parsed.nnodes, parsed.rdzv_conf) == ("2", f"is_host={1 - number}")
        assert (parsed.local_addr, parsed.rdzv_endpoint) == (name, "first:20001")
        assert arguments.resume


def manifests() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    return {each["kind"]: each for each in yaml.safe_load_all(JOB.read_text())}


def test_the_jobs_command_is_one_that_both_programs_take() -> None:
    job = manifests()["Job"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    assert container["command"] == ["bash", "-c"]
    [command] = container["args"]
    for index in range(job["completions"]):
        parsed, arguments = torchrun_line(expanded(command, JOB_COMPLETION_INDEX=str(index)))
        assert parsed.nnodes == str(job["completions"])
        assert parsed.rdzv_conf == f"is_host={int(index == 0)}"
        assert parsed.local_addr == f"scout-{index}.scout"
        assert parsed.rdzv_endpoint.startswith("scout-0.scout:")
        assert parsed.nproc_per_node == str(container["resources"]["limits"]["nvidia.com/gpu"])
        assert arguments.resume


def test_the_jobs_parts_fit_together_and_ask_for_no_rights() -> None:
    parts = manifests()
    job = parts["Job"]["spec"]
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    labels = job["template"]["metadata"]["labels"]
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"]
    assert pod["restartPolicy"] == "Never"
    assert pod["subdomain"] == parts["Service"]["metadata"]["name"]
    assert parts["Service"]["spec"]["selector"] == labels
    assert parts["Service"]["spec"]["clusterIP"] == "None"
    policy = parts["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["ingress"] == [{"from": [{"podSelector": {"matchLabels": labels}}]}]
    claims = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims.keys()
    assert (
        claims["results"]["persistentVolumeClaim"]["claimName"]
        in (parts["PersistentVolumeClaim"]["metadata"]["name"])
    )
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"ports", "hostPort"} & container.keys()
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert int(variables["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]) < pod["terminationGracePeriodSeconds"]


def family(mark: str) -> list[psutil.Process]:
    """Return the living processes that carry `mark`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def batch_job(folder: Path, variables: dict[str, str]) -> "subprocess.Popen[str]":
    """Start the batch script as Slurm would on its first node."""
    return subprocess.Popen(
        ["bash", str(SBATCH)],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_is_pre_empted_goes_back_into_the_queue_and_ends_at_its_step(
    nodes: Nodes, tmp_path: Path
) -> None:
    """With two commands in Slurm's place, and two real nodes."""
    work, mark = tmp_path / "shared", secrets.token_hex(8)
    steps = 64 * 2 * 4 * 60
    write_recipe(work, CARTPOLE, NumStep=4, TotalEnvSteps=steps, saveCkptEvery=1000)
    (work / "main.py").symlink_to(MAIN)
    variables = slurm(tmp_path, nodes) | {
        "CONFIG": "recipe.conf",
        "NAME": NAME,
        "RANKS_PER_NODE": "1",
        "SCOUT_BIN": str(Path(sys.executable).parent),
        "OMP_NUM_THREADS": "1",
        MARKER: mark,
    }
    rows = work / "logs" / "runs" / NAME / "metrics.jsonl"
    first = batch_job(work, variables)
    try:
        while not rows.exists() or rows.read_bytes().count(b"\n") < 5:
            assert first.poll() is None, first.communicate()[0]
        for process in [p for p in family(mark) if p.pid == first.pid or "srun" in p.cmdline()[1]]:
            process.send_signal(signal.SIGTERM)
        words, _ = first.communicate(timeout=DEADLINE)
        assert first.returncode == 0, words
        assert read_status(work, NAME)["code"] == SAVED, words
        assert (tmp_path / "requeued").read_text() == "4711\n", words
        before = load_payload(checkpoint_path(work, NAME))["env_steps"]
        assert 0 < before < steps
        second = batch_job(work, variables | {"SLURM_RESTART_COUNT": "1"})
        words, _ = second.communicate(timeout=DEADLINE)
    finally:
        for process in family(mark):
            process.kill()
    assert second.returncode == 0, words
    assert f"continued at {before:,} env steps" in words
    assert load_payload(checkpoint_path(work, NAME))["env_steps"] == steps
    assert (tmp_path / "requeued").read_text() == "4711\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_cannot_begin_stays_out_of_the_queue(nodes: Nodes, tmp_path: Path) -> None:
    work = tmp_path / "shared"
    write_recipe(work, CARTPOLE + "Unknown = 1\n")
    (work / "main.py").symlink_to(MAIN)
    variables = slurm(tmp_path, nodes) | {
        "CONFIG": "recipe.conf",
        "NAME": NAME,
        "SCOUT_BIN": str(Path(sys.executable).parent),
    }
    job = batch_job(work, variables)
    words, _ = job.communicate(timeout=DEADLINE)
    assert job.returncode == 1, words
    assert "Unknown = 1: unknown key" in words
    assert not (tmp_path / "requeued").exists()
