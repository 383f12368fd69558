"""Scout itself, by main.py as a user starts it; its figures say how far it has come."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers.scripts.sizes import Sizes, mark, read_sizes
from benchmarks.runs import PROJECT

RECIPE = PROJECT / "configs/MontezumaRevenge/config_rnd00.conf"
NAME = "peer"
LOOK_EVERY = 0.05  # seconds


def command(sizes: Sizes, bonus: str, precision: str, ranks: int) -> list[str]:
    """Return the command line: the recipe of the RND paper with the sizes that all peers share."""
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", "--nnodes", "1", "--standalone"]
        start += ["--nproc_per_node", str(ranks)]
    settings = {
        "EnvID": sizes.game,
        "IntrinsicReward": bonus,
        "NumStep": sizes.num_steps,
        "Epoch": sizes.epochs,
        "MiniBatch": sizes.minibatches,
        "Precision": precision,
        "LearnerThreads": sizes.threads,
        "LogEvery": 1,
        "ObsNormStep": 1,
        "UpdateProportion": 0.25,  # the paper's share, and CleanRL's at any number of environments
    }
    flags = [text for key, value in settings.items() for text in ("--set", f"{key}={value}")]
    return [
        *start,
        str(PROJECT / "main.py"),
        "--train",
        *("--config_path", str(RECIPE)),
        *("--log_name", NAME),
        *("--num_env_per_process", str(sizes.num_envs // ranks)),
        *("--num_workers", str(max(1, sizes.processes // ranks))),
        *flags,
    ]


def main() -> int:
    """Train until somebody ends it."""
    sizes, options = read_sizes(["bonus", "precision", "ranks"])
    ranks = int(options.ranks)
    run = subprocess.Popen(command(sizes, options.bonus, options.precision, ranks))
    figures = Path("logs/runs") / NAME / "metrics.jsonl"
    seen = 0
    while run.poll() is None:
        time.sleep(LOOK_EVERY)
        lines = figures.read_text().splitlines(keepends=True) if figures.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole[seen:]:
            mark(json.loads(line)["env_steps"])
        seen = len(whole)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
