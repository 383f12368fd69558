"""The runs of main.py: timed ones, and one that is stopped half way and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.sizes import Sizes
from benchmarks.kept_program import KeptProgram
from benchmarks.runs import PROJECT
from benchmarks.timed_runs import Plan, time_run
from configs.errors import STOPPED_EXIT_CODE
from configs.loading import load_config
from training.checkpoints.storage import load_payload
from training.reports.rows import Row, read_rows

NAME = "curve"
LOOK_EVERY = 0.2  # seconds
OUTPUT = "output.txt"
LAST_LETTERS = 2000  # of a failed run's output
SHOWN = ("intrinsic/mean", "losses/entropy", "charts/episodic_return", "charts/SPS")
TESTS = ("tests/gpu", "-m", "gpu", "-q", "-p", "no:cacheprovider")


def tests(folder: Path, limit: float) -> dict[str, Any]:
    """Run the tests of a GPU; return their exit code and last line."""
    output = folder / "tests.txt"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *TESTS]
    code = _wait(_started(command, PROJECT, output), time.monotonic() + limit)
    return {"exit_code": code, "said": output.read_text(errors="replace").strip().splitlines()[-1:]}


def timed(sizes: Sizes, num_envs: int, cores: int, limit: float) -> dict[str, Any]:
    """Return what the loop takes with so many environments, and how busy the GPU is."""
    plan = Plan(sizes.recipe, sizes.settings, sizes.updates, num_envs, limit=limit)
    plan.check()
    with Meter() as meter:
        timing = time_run(plan)
    frame_skip = load_config(sizes.recipe).config.environment.frame_skip
    act, collect = timing.shares["act"], timing.shares["collect"]
    return {
        "environments": num_envs,
        "env_steps_per_second": timing.steps_per_second,
        "env_steps_per_second_per_core": timing.steps_per_second / cores,
        "frames_per_second": timing.steps_per_second * frame_skip,
        "cpu_us_per_env_step": timing.cpu,
        "share_learn": timing.shares["learn"],
        "share_act": act,
        "share_step": collect - act,
        "memory_mb": timing.memory,
        **(meter.summary(timing.span) or {}),
    }


def curve(sizes: Sizes, folder: Path, limit: float) -> dict[str, Any]:
    """Train twice: without a pause, and stopped half way and resumed; return what came of it."""
    end = time.monotonic() + limit
    whole, stopped = folder / "whole", folder / "stopped"
    for each in (whole, stopped):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    half = (sizes.curve_updates // 2) * _steps_per_update(sizes)
    first = _stop_at(_train(sizes), stopped, half, end)
    for each, command in ((stopped, [*_train(sizes), "--resume"]), (whole, _train(sizes))):
        output = each / OUTPUT
        code = _wait(_started(command, each, output), end)
        if code:
            last_words = output.read_text(errors="replace")[-LAST_LETTERS:]
            return {"failed": last_words, "exit_code": code, "code_when_stopped": first}
    rows = [read_rows(each / "logs/runs" / NAME) for each in (whole, stopped)]
    largest = largest_difference(*(_weights(each) for each in (whole, stopped)))
    return {
        "code_when_stopped": first,
        "stopped_as_asked": first == STOPPED_EXIT_CODE,
        "rows_agree": same_steps(*rows),
        "same_to_the_last_bit": largest == 0.0,
        "largest_difference_of_a_weight": largest,
        "rows": [{key: row.get(key) for key in ("env_steps", *SHOWN)} for row in rows[1]],
    }


def same_steps(one: Sequence[Row], other: Sequence[Row]) -> bool:
    """Whether two runs wrote rows at the same env steps, each of them once."""
    steps = [[row["env_steps"] for row in rows] for rows in (one, other)]
    return steps[0] == steps[1] == sorted(set(steps[1]))


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return by how much the numbers of two modules differ at most; infinite if one lacks some."""
    if one.keys() != other.keys():
        return float("inf")
    apart = [(value.double() - other[name].double()).abs().max() for name, value in one.items()]
    return float(torch.stack(apart).max())


def _steps_per_update(sizes: Sizes) -> int:
    config = load_config(sizes.recipe, sizes.settings).config
    return config.ppo.rollout_steps * sizes.curve_environments


def _train(sizes: Sizes) -> list[str]:
    sets = [*sizes.settings, "ObsNormStep=1", "LogEvery=1", "saveCkptEvery=1000"]
    return [
        *(sys.executable, str(PROJECT / "main.py"), "--train"),
        *("--config_path", str(sizes.recipe), "--log_name", NAME),
        *("--save_model_path", f"checkpoints/{NAME}.ckpt"),
        *("--num_env_per_process", str(sizes.curve_environments)),
        *("--max_env_steps", str(sizes.curve_updates * _steps_per_update(sizes))),
        *(part for text in sets for part in ("--set", text)),
    ]


def _weights(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_payload(folder / f"checkpoints/{NAME}.ckpt")["learner"]
    return weights


def _started(command: Sequence[str], folder: Path, output: Path) -> KeptProgram:
    """Start a program of one rank in `folder`; what it says is added to `output`."""
    inherited = {key: text for key, text in os.environ.items() if key not in {"RANK", "WORLD_SIZE"}}
    with output.open("ab") as file:
        return KeptProgram(
            command,
            cwd=folder,
            env=inherited,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def _wait(program: KeptProgram, end: float) -> int:
    """Wait for the end of a program; return its code.

    Raises:
        TimeoutError: it has not come by `end` (time.monotonic()); the program has been ended.
    """
    try:
        return program.wait(timeout=max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("it took longer than there was time for") from error
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()


def _stop_at(command: Sequence[str], folder: Path, env_steps: int, end: float) -> int:
    """Send SIGTERM once a row of so many env steps is written; return the exit code."""
    program = _started(command, folder, folder / OUTPUT)
    metrics = folder / "logs/runs" / NAME / "metrics.jsonl"
    try:
        while program.poll() is None and _last_step(metrics) < env_steps:
            if time.monotonic() > end:
                break
            time.sleep(LOOK_EVERY)
        program.send_signal(signal.SIGTERM)
    finally:
        code = _wait(program, end)
    return code


def _last_step(metrics: Path) -> int:
    if not metrics.exists():
        return 0
    whole = metrics.read_bytes().rpartition(b"\n")[0]
    last = whole.rpartition(b"\n")[2]
    return int(json.loads(last)["env_steps"]) if last else 0
