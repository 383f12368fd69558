"""docs/multinode.md and the files beside it: what they say is what the programs take."""

import os
import re
import secrets
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from torch.distributed.run import get_args_parser

from commands.verbs import build_parser, checked_verb
from tests.multinode.nodes import Node
from tests.multinode.slurm import job_file, slurm, submitted, work_folder
from tests.records import checkpoint_path, differences, read_status
from tests.runs import CARTPOLE, DEADLINE, MAIN, MARKER, write_recipe
from tests.training.offline.made import command, squares, state_of, status_of
from training.checkpoints.storage import load_payload

ROOT = MAIN.parent
GUIDE = ROOT / "docs" / "multinode.md"
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
        "make slurm",
        "cluster/job.yaml",
    ):
        assert name in guide


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


def stop_all_steps(mark: str, batch: "subprocess.Popen[str]") -> None:
    """Send SIGTERM as Slurm does when time is up: to the script and to what srun started."""
    for process in [p for p in family(mark) if p.pid == batch.pid or "srun" in p.cmdline()[1]]:
        process.send_signal(signal.SIGTERM)


def ended(batch: "subprocess.Popen[str]", code: int = 0) -> str:
    """Wait for a job; return what it has said."""
    words, _ = batch.communicate(timeout=DEADLINE)
    assert batch.returncode == code, words
    return words


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_is_pre_empted_goes_back_into_the_queue_and_ends_at_its_step(
    nodes: Nodes, tmp_path: Path
) -> None:
    """With two commands in Slurm's place, and two real nodes."""
    work, mark = work_folder(tmp_path), secrets.token_hex(8)
    steps = 64 * 2 * 4 * 60
    write_recipe(work, CARTPOLE, NumStep=4, TotalEnvSteps=steps, saveCkptEvery=1000)
    job = job_file(work, "STAGE=train", "NODES=2", "CONFIG=recipe.conf", f"LOG_NAME={NAME}")
    variables = slurm(tmp_path, nodes)
    rows = work / "logs" / "runs" / NAME / "metrics.jsonl"
    try:
        first = submitted(job, variables, mark)
        while not rows.exists() or rows.read_bytes().count(b"\n") < 5:
            assert first.poll() is None, first.communicate()[0]
        stop_all_steps(mark, first)
        words = ended(first)
        assert read_status(work, NAME)["code"] == SAVED, words
        assert (tmp_path / "requeued").read_text() == "4711\n", words
        before = load_payload(checkpoint_path(work, NAME))["env_steps"]
        assert 0 < before < steps
        words = ended(submitted(job, variables | {"SLURM_RESTART_COUNT": "1"}, mark))
    finally:
        for process in family(mark):
            process.kill()
    assert f"continued at {before:,} env steps" in words
    assert load_payload(checkpoint_path(work, NAME))["env_steps"] == steps
    assert (tmp_path / "requeued").read_text() == "4711\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_encoder_whose_job_is_pre_empted_is_the_one_of_a_calm_job_to_the_last_bit(
    nodes: Nodes, tmp_path: Path
) -> None:
    work, mark = work_folder(tmp_path), secrets.token_hex(8)
    squares(work / "D")
    variables = slurm(tmp_path, nodes)
    learnt = ("--model=vae", "--batch_size=4", "--representation_size=4", "--train_steps=40")

    def job(model_dir: str) -> Path:
        words = command(work, *learnt, "--save_every_n_steps=2", model_dir=model_dir)
        return job_file(work, "STAGE=train_encoder", "NODES=2", f"ARGS={shlex.join(words)}")

    try:
        ended(submitted(job("calm"), variables, mark))
        stopped = submitted(job("E"), variables, mark)
        while not (work / "E" / "model.ckpt").exists():
            assert stopped.poll() is None, stopped.communicate()[0]
        stop_all_steps(mark, stopped)
        ended(stopped)
        assert status_of(work / "E")["code"] == SAVED
        assert (tmp_path / "requeued").read_text() == "4711\n"
        assert 2 <= load_payload(work / "E" / "model.ckpt")["updates"] < 40
        words = ended(submitted(job("E"), variables | {"SLURM_RESTART_COUNT": "1"}, mark))
    finally:
        for process in family(mark):
            process.kill()
    assert "continued at" in words
    one, other = (state_of(work / name / "model.ckpt") for name in ("calm", "E"))
    assert differences(one, other) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_cannot_begin_stays_out_of_the_queue(nodes: Nodes, tmp_path: Path) -> None:
    """The recipe is spoilt after the job file was written, and then the checkpoint."""
    work = work_folder(tmp_path)
    recipe = write_recipe(work, CARTPOLE)
    job = job_file(work, "STAGE=train", "NODES=2", "CONFIG=recipe.conf", f"LOG_NAME={NAME}")
    recipe.write_text(CARTPOLE + "Unknown = 1\n")
    words = ended(submitted(job, slurm(tmp_path, nodes)), code=1)
    assert "Unknown = 1: unknown key" in words
    recipe.write_text(CARTPOLE)
    checkpoint_path(work, NAME).parent.mkdir()
    checkpoint_path(work, NAME).write_bytes(b"torn")
    words = ended(submitted(job, slurm(tmp_path, nodes)), code=1)
    assert f"error: {Path('checkpoints') / NAME}.ckpt: " in words
    assert not (tmp_path / "requeued").exists()
