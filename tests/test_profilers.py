"""The profiling targets, typed as in the README: all run to their end, with one rank and with two.

They run in a copy of the project, so that they leave nothing in this one.
"""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from line_profiler.line_profiler import LineStats

from tests.architecture.test_floors import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DEADLINE = 1000.0  # seconds, for a machine that is busy beyond measure
RANKS = pytest.mark.parametrize("ranks", [1, 2], ids=["one rank", "two ranks"])
# Pong: its workers have something to do. Updates are small, so that rollouts are most of the time.
SMALL = "configs/Pong/config_rnd00.conf"
ARGUMENTS = "--set NumStep=64 --set Epoch=1 --set ObsNormStep=1 --num_workers 1"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy = tmp_path / "scout"
    for room in ("agents", "commands", "configs", "training", "trajectories", "workers"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    return copy


def run(project: Path, *command: str, **variables: str) -> str:
    """Run a program of this Python to its end; it must end well."""
    python = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    inherited = {k: v for k, v in os.environ.items() if k not in {"RANK", "WORLD_SIZE"}}
    done = subprocess.run(
        command,
        cwd=project,
        env=inherited | {"OMP_NUM_THREADS": "1"} | python | variables,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def make(project: Path, target: str, ranks: int, arguments: str = ARGUMENTS) -> str:
    """Run a make target on a small Pong."""
    return run(
        project, "make", "VENV=none", target, f"NPROC={ranks}", f"CONFIG={SMALL}", "LOG_NAME=small",
        f"ARGS={arguments}",
    )  # fmt: skip


def status(project: Path, name: str) -> dict[str, Any]:
    """Return the run's last word."""
    word: dict[str, Any] = json.loads((project / "logs/runs" / name / "status.json").read_text())
    return word


@RANKS
def test_scalene_sees_agent_and_worker(project: Path, ranks: int) -> None:
    make(project, "scalene_profiling", ranks)
    assert status(project, "small_scalene")["code"] == 0
    profile = json.loads((project / "scaleneProfiler00_small.json").read_text())
    functions = {
        (Path(file).name, function["line"])
        for file, content in profile["files"].items()
        for function in content["functions"]
    }
    assert ("gradient_steps.py", "GradientSteps._backward") in functions
    assert ("supervision.py", "Supervisor.wait") in functions
    assert ("worker.py", "_next_command") in functions
    assert any(name.startswith("atari") for name, _ in functions)
    assert not any(name == "watchdog.py" for name, _ in functions)
    shown = make(project, "view_scalene", ranks, "--cli")
    assert "gradient_steps.py" in "".join(shown.split())  # wrapped where the terminal ends


@RANKS
def test_torch_profiler_leaves_a_trace_of_each_rank_and_says_the_top_operators(
    project: Path, ranks: int
) -> None:
    said = make(project, "pytorch_profiling", ranks)
    assert status(project, "small_torch")["code"] == 0
    assert "aten::" in said
    folder = project / "logs/torch_profiler_logs/small_torch"
    for rank in range(ranks):
        assert "scout/wait" in (folder / f"top_operators_rank{rank}.txt").read_text()
        (trace,) = folder.glob(f"rank{rank}.*.pt.trace.json.gz")
        names = gzip.decompress(trace.read_bytes()).decode()
        for function in ("ppo_agent.py(", "): learn", "pool.py(", "): recv", "scout/wait"):
            assert function in names


@RANKS
def test_line_profiler_leaves_times_of_each_rank_and_each_worker(project: Path, ranks: int) -> None:
    make(project, "line_profiling", ranks, f"{ARGUMENTS} --scalene_profiling 3")
    assert status(project, "small_line")["code"] == 0
    folder = project / "logs/runs/small_line/line_times"
    for rank in range(ranks):
        agent, worker = (
            {name for _, _, name in LineStats.from_files(folder / file).timings}
            for file in (f"rank{rank}.lprof", f"rank{rank}-worker0.lprof")
        )
        assert {"PPOAgent.learn", "PPOAgent.act", "WorkerPool.recv"} <= agent
        assert {"OwnedEnvironments.step", "_serve"} <= worker
    shown = make(project, "view_line_profiler", ranks)
    for name in ("PPOAgent.learn", "OwnedEnvironments.step", f"rank{ranks - 1}-worker0.lprof"):
        assert name in shown


def test_kernprof_runs_main_py_as_it_always_did(project: Path) -> None:
    run(project, sys.executable, "main.py", "--train", "--log_name=demo_00",
        "--save_model_path=checkpoints/demo_00.ckpt", "--profile_updates", "2")  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = dict(LOCAL_RANK="0", RANK="0", LOCAL_WORLD_SIZE="1", WORLD_SIZE="1")
    said = run(
        project, "kernprof", "-l", "main.py", "--train", "--num_env_per_process", "32",
        "--config_path=./configs/demo_config.conf", "--log_name=demo_00_cont00",
        "--load_model_path=checkpoints/demo_00.ckpt",
        "--save_model_path=checkpoints/demo_00_cont00.ckpt", "--scalene_profiling", "10",
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), **place,
    )  # fmt: skip
    assert "Wrote profile results to" in said
    assert status(project, "demo_00_cont00")["code"] == 0
    shown = run(project, sys.executable, "-m", "line_profiler", "-mt", "main.py.lprof")
    for name in ("Trainer.run", "Collector.collect", "PPOAgent.learn"):
        assert name in shown
