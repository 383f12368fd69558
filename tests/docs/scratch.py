"""A copy of the project whose recipes are small, so that shown commands end within seconds."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.options import all_options
from tests.architecture.test_floors import ROOT
from tests.docs.shown import SERVERS
from tests.runs import free_port

DEADLINE = 600.0  # seconds for one command, on a machine that is busy beyond measure
SMALL_RECIPE: Mapping[str, str] = {
    "NumStep": "64",
    "Epoch": "1",
    "MiniBatch": "2",
    "ObsNormStep": "1",
    "ConvChannels": "4, 8, 8",
    "HiddenSize": "16",
    "FeatureDim": "16",
    "RNDFeatureDim": "16",
    "RNDHiddenSize": "16",
    "RNDConvChannels": "4, 8, 8",
    "WorldModelSize": "16",
    "BYOL_projectionHiddenSize": "16",
    "BYOL_projectionSize": "8",
    "BarlowTwinsProjectionSizes": "16, 8",
    "ActorHiddenSizes": "16",
    "CriticHiddenSizes": "16",
    "RandomSteps": "64",
    "ReplayBatchSize": "16",
    "TotalEnvSteps": "512",
    "NumEnv": "2",
    "SequenceLength": "4",
    "PopulationSize": "8",
    "TrialsPerMember": "1",
    "Generations": "1",
    "RolloutMaxSteps": "12",
    "EvaluationTrials": "2",
}
BENCH = "--no_log --repeats 1"
# What is shown -> what is run in its place; all that fit are applied, in this order.
SMALLER: Mapping[str, str] = {
    r"--num_env_per_process[ =]\d+": "--num_env_per_process 2",
    r"NUM_ENV=\d+": "NUM_ENV=2",
    r"--max_env_steps[ =][\d_]+": "--max_env_steps 512",
    r"--num_rollouts (40 --max_steps 400|100 --max_steps 300|1000 --max_steps 40)": "--num_rollouts"
    " 24 --max_steps 12",
    r" --train_steps \d+": "",
    r" --batch_size \d+": "",
    r"--train_encoder": "--train_encoder --train_steps 2 --batch_size 4",
    r"--train_dynamics": "--train_dynamics --train_steps 2 --batch_size 2",
    r"main\.py --train -f": "main.py --train --max_env_steps 256 -f",
    r"--sequence_length \d+": "--sequence_length 4",
    r"--cma_population_size \d+": "--cma_population_size 8",
    r"--cma_trials_per_member \d+": "--cma_trials_per_member 1",
    r"--cma_steps \d+": "--cma_steps 1",
    r"main\.py --probe": "main.py --probe --supervised_steps 2",
    r"TotalEnvSteps=\d+": "TotalEnvSteps=512",
    r"--env_steps \d+": "--env_steps 512",
    r"--seeds( \d+)+": "--seeds 1",
    r"--episodes \d+": "--episodes 2",
    r"--num_rollouts (?!24 --max_steps 12)\d+": "--num_rollouts 2",
    r"--max_steps (?!12\b)\d+": "--max_steps 20",
    r"--repeats \d+": "--repeats 1",
    r"(?<=python -m benchmarks\.learning )": "--seeds 1 --episodes 2 ",
    r"(?<=python -m benchmarks\.pool)$": f" {BENCH} --num_envs 4 --steps 4",
    r'(make sprites_study ARGS=".*)"$': r"\1 --environments v0 --arms oracle frozen --rollouts 60"
    ' --encoder_steps 2"',
    r"(make bench PART=\w+)$": r'\1 ARGS=""',
    r'(PART=pool ARGS=".*)"$': rf'\1 {BENCH} --num_envs 4 --steps 4"',
    r'(PART=learner ARGS=".*)"$': rf'\1 {BENCH} --num_envs 2 --batches 2"',
    r'(PART=collecting ARGS=".*)"$': rf'\1 {BENCH} --episodes 2 --max_steps 20"',
    r'(PART=loop ARGS=".*)"$': rf'\1 {BENCH} --num_envs 4 --updates 1"',
    r'(PART=components ARGS=".*)"$': rf'\1 {BENCH}"',
    r'(PART=trajectories ARGS=".*)"$': rf'\1 {BENCH} --episodes 2 --steps 40"',
    r'(PART=small ARGS=".*)"$': rf'\1 {BENCH} --env_steps 256"',
    r'(PART=scaling ARGS=".*)"$': rf"\1 {BENCH} --num_envs 2 --updates 1 --environments 2 4"
    " --rank_counts 1 2 --widths 8 16 --lengths 4 8 --rollout_steps 8 --summing_ranks 2"
    ' --rounds 2 --rates 10 --delays 0.1"',
    # Addresses and ports of this machine.
    r"172\.20\.31\.84:33333": "127.0.0.1:{port}",
    r"MASTER_PORT=\d+": "MASTER_PORT={port}",
}


# The same, in documents that show a name more than once: one that is taken is refused.
AGAIN: Mapping[str, str] = {
    r"main\.py --train(?!_)(?!.*(--resume|--config_options))": "main.py --train --overwrite",
    r"main\.py --train_(encoder|dynamics)(?!.*--resume)": r"main.py --train_\1 --overwrite",
}


def smaller(command: str, *, again: bool) -> str:
    """Return what is run in place of a shown command; `again` where names are shown twice."""
    for shown, run in {**SMALLER, **(AGAIN if again else {})}.items():
        command = re.sub(shown, run.replace("{port}", str(free_port())), command)
    return command


@dataclass(frozen=True)
class Scratch:
    """The copy, and the way to run a shell in it."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> "Scratch":
        """Copy what a clone holds, and make its recipes small."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        for recipe in (folder / "configs").rglob("*.conf"):
            recipe.write_text(_small(recipe.read_text(encoding="utf-8")), encoding="utf-8")
        return cls(folder)

    def run(self, commands: list[str], *, again: bool) -> tuple[int, str]:
        """Run commands as one script that ends at the first failure; return code and output.

        Where names are shown `again`, the targets of make replace what has them.
        """
        replacing = again and not any("RESUME=1" in line for line in commands)
        environment = self._environment(replacing=replacing)
        with subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        ) as shell:
            try:
                output, _ = shell.communicate(timeout=DEADLINE * len(commands))
            except BaseException:
                os.killpg(shell.pid, signal.SIGKILL)
                raise
        return shell.returncode, output

    def serve(self, command: str) -> bool:
        """Start a server, wait until its page answers, stop it; return whether it answered."""
        port = free_port()
        environment = self._environment(replacing=False) | {"PORT": str(port)}
        with subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        ) as server:
            try:
                return _answers(f"http://localhost:{port}", server)
            finally:
                os.killpg(server.pid, signal.SIGKILL)

    def _environment(self, *, replacing: bool) -> dict[str, str]:
        """Return the variables of a shell that finds this interpreter, one thread and no GPU."""
        variables = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "VENV": "none",
            "OVERWRITE": "1" if replacing else "",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",  # one for each of two ranks would be asked for
            "TERM": "dumb",
        }
        variables.pop("PYTEST_CURRENT_TEST", None)
        return variables


def is_server(command: str) -> bool:
    """Whether a command runs until it is stopped."""
    return SERVERS.match(command) is not None


def _answers(url: str, server: "subprocess.Popen[bytes]") -> bool:
    end = time.monotonic() + DEADLINE
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _small(recipe: str) -> str:
    """Return a recipe with the small sizes in place of its own, or added to it."""
    for key, value in SMALL_RECIPE.items():
        recipe, number = re.subn(rf"^{key} *=.*$", f"{key} = {value}", recipe, flags=re.MULTILINE)
        if number == 0:
            recipe += f"\n[{all_options()[key.casefold()].section}]\n{key} = {value}\n"
    return recipe
