"""What whole runs on small environments cost: CPU seconds of all processes, start and end included.

    python -m benchmarks.small
    python -m benchmarks.small --checkout ../scout-before --repeats 5

    python -m benchmarks.small --tasks TD3 --env_steps 4000

CartPole by the shipped recipe, beside stable-baselines3 with the same numbers where it is installed
(`make peers_venv`), and the demo of MountainCar; both also by an earlier checkout, where one is
named. TD3 is Pendulum-v1 by its recipe, learnt from after 1,000 env steps, beside stable-baselines3
and CleanRL with the same networks, batches and gradient steps. Programs take turns; ratios are
taken turn by turn.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT

PACKAGES = ("torch", "numpy", "gymnasium", "tensorboard")
RECIPES = {
    "CartPole": "configs/CartPole/config_ppo00.conf",
    "demo": "configs/demo_config.conf",
    "TD3": "configs/Pendulum/td3.conf",
}
BESIDE_RECIPES = {"TD3": ("--set", "RandomSteps=1000")}
SCOUT, BEFORE, OTHER, CLEANRL = "Scout", "the checkout", "stable-baselines3", "CleanRL"
OTHERS = {
    "CartPole": {OTHER: "benchmarks.small.stable_baselines3_cartpole"},
    "demo": {},
    "TD3": {
        OTHER: "benchmarks.small.stable_baselines3_td3",
        CLEANRL: "benchmarks.small.cleanrl_td3",
    },
}
HALVED = "Scout, bfloat16"
PEERS = PROJECT / ".venv-peers" / "bin" / "python"


class Cost(NamedTuple):
    """What a run took: CPU seconds of all its processes, and seconds on the wall."""

    cpu: float
    wall: float


def programs(options: argparse.Namespace, task: str, seed: int) -> dict[str, list[str]]:
    """Return the command of each program that does a task."""
    commands = {SCOUT: _scout(PROJECT, task, options.env_steps, seed)}
    if options.checkout is not None:
        commands[BEFORE] = _scout(options.checkout, task, options.env_steps, seed)
    if task == "TD3":
        commands[HALVED] = [*commands[SCOUT], "--set", "Precision=bfloat16"]
    if options.peers.exists():
        run = (str(options.env_steps), str(seed))
        for name, module in OTHERS[task].items():
            commands[name] = [str(options.peers), "-m", module, *run]
    return commands


def _scout(tree: Path, task: str, env_steps: int, seed: int) -> list[str]:
    recipe = [f"--config_path={tree / RECIPES[task]}", f"--max_env_steps={env_steps}"]
    run = [sys.executable, str(tree / "main.py"), "--train", "--log_name=small"]
    return [*run, *recipe, f"--seed={seed}", *BESIDE_RECIPES.get(task, ())]


def cost_of(command: Sequence[str]) -> Cost:
    """Run a program in a folder of its own, on one thread.

    Raises:
        SystemExit: it failed; its output is printed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)  # of all that it has waited for, too
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            print(output.read())
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def take_turns(options: argparse.Namespace, task: str) -> dict[str, list[Cost]]:
    """Let the programs of a task take turns; each turn has a seed of its own."""
    costs: dict[str, list[Cost]] = {}
    for seed in range(1, options.repeats + 1):
        for name, command in programs(options, task, seed).items():
            costs.setdefault(name, []).append(cost_of(command))
            print(f"{task}, turn {seed}, {name}: {costs[name][-1].cpu:.1f} CPU s", flush=True)
    return costs


def table(task: str, costs: Mapping[str, Sequence[Cost]]) -> str:
    """Return one row per program: medians with their range, and Scout's share turn by turn."""
    lines = [f"| {task} | CPU s | wall s | Scout's CPU time in this |", "|---|---|---|---|"]
    for name, own in costs.items():
        shares = [ours.cpu / other.cpu for ours, other in zip(costs[SCOUT], own, strict=True)]
        cells = (
            spread([cost.cpu for cost in own], 1),
            spread([cost.wall for cost in own], 1),
            spread(shares, 2),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.small",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", nargs="+", choices=RECIPES, default=["CartPole", "demo"])
    parser.add_argument("--env_steps", type=int, default=100_000, help="of a run (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns, a seed each (%(default)s)")
    parser.add_argument("--checkout", type=Path, help="another checkout of Scout to run beside")
    parser.add_argument(
        "--peers", type=Path, default=PEERS, help="python that has the other trainers"
    )
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.env_steps, options.repeats) < 1:
        parser.error("--env_steps and --repeats must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables, add them to the log."""
    options = parse(argv)
    with recording("small", options, PACKAGES) as record:
        for task in options.tasks:
            record.say(table(task, take_turns(options, task)))
    return 0
