"""What a policy's memory costs: whole updates with a GRU and an LSTM, beside one without a memory.

    python -m benchmarks.policy_memory --repeats 15
    python -m benchmarks.policy_memory --recipe configs/Pong/config_ppo00.conf --num_envs 8

All arms live in one process and take turns, so that a busy machine slows all of them; ratios are
taken turn by turn. In a turn an arm collects a rollout of the recipe's own environments, which step
in this process, and learns from it. MemorySize is auto: the memory is as wide as what feeds it.
"""

import argparse
import gc
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT
from configs.errors import ScoutError
from configs.loading import load_config
from configs.schema import Config
from training.building.learner import (
    build_learner,
    build_optimizer,
    learning_settings,
    rollout_shape,
)
from training.building.memory import check_minibatches
from training.loop.collector import Collector
from training.loop.stopwatch import Stopwatch
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import Place, process_group
from workers.opening import Sizes, open_pool

ARMS = ("none", "GRU", "LSTM")
SEED = 1
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Turn:
    """CPU time of one update, in microseconds per env step."""

    collect: float
    learn: float

    @property
    def both(self) -> float:
        """Of the whole update."""
        return self.collect + self.learn


class Arm:
    """An agent with environments of its own.

    Args:
        config: the recipe with a PolicyMemory.
        ranks: this process.
        stack: closes the environments.
    """

    def __init__(self, config: Config, ranks: Ranks, stack: ExitStack) -> None:
        num_envs = config.run.num_envs
        sizes = Sizes(num_envs, 1, base_seed=SEED, first_index=0, num_workers=None, cores=1)
        pool = stack.enter_context(open_pool(config, sizes, "in_process"))
        torch.manual_seed(SEED)
        learner = build_learner(config, pool.spec, num_envs)
        generator = torch.Generator().manual_seed(SEED)
        settings = learning_settings(config, num_envs)
        optimizer = build_optimizer(config, learner)
        self._agent = PPOAgent(learner, optimizer, settings, ranks, generator)
        self._rollout = learner.new_rollout(rollout_shape(config, pool.spec, num_envs), CPU)
        reward = config.environment.learning_reward
        self._collector = Collector(pool, self._rollout, reward, Stopwatch())
        self._collector.start()

    def take_turn(self) -> Turn:
        """Collect and learn, and measure both."""
        start = time.process_time()
        self._collector.collect(self._agent.act, lambda: False)
        collected = time.process_time()
        self._agent.learn(self._rollout)
        self._rollout.carry_over()
        learnt = time.process_time()
        to_step = 1e6 / self._rollout.rewards.numel()
        return Turn((collected - start) * to_step, (learnt - collected) * to_step)


def measure(configs: Mapping[str, Config], repeats: int, ranks: Ranks) -> dict[str, list[Turn]]:
    """Let all arms take `repeats` turns each, after one that is not counted."""
    turns: dict[str, list[Turn]] = {name: [] for name in configs}
    with ExitStack() as stack:
        arms = {name: Arm(config, ranks, stack) for name, config in configs.items()}
        for repeat in range(-1, repeats):
            gc.collect()
            for name, arm in arms.items():
                turn = arm.take_turn()
                if repeat >= 0:
                    turns[name].append(turn)
    return turns


def table(turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return one row per arm: medians with their range, ratios taken turn by turn."""
    lines = [
        "| PolicyMemory | collect, CPU us/step | learn, CPU us/step | both / none |",
        "|---|---|---|---|",
    ]
    for name, own in turns.items():
        ratios = [turn.both / base.both for turn, base in zip(own, turns["none"], strict=True)]
        cells = (
            spread([turn.collect for turn in own]),
            spread([turn.learn for turn in own]),
            spread(ratios, 2),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def sizes_of(config: Config) -> str:
    """Return what all arms have in common, in words."""
    ppo = config.ppo
    return (
        f"{config.environment.env_id}, {ppo.rollout_steps} steps x {config.run.num_envs} "
        f"environments, {ppo.epochs} epochs x {ppo.num_minibatches} minibatches, "
        f"{config.run.precision}"
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.policy_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe = PROJECT / "configs/CartPole/config_ppo00.conf"
    parser.add_argument("--recipe", type=Path, default=recipe)
    parser.add_argument("--num_envs", type=int, help="environments (the recipe's)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each arm (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if options.repeats < 1 or options.threads < 1:
        parser.error("--repeats and --threads must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as a run does
    own = [] if options.num_envs is None else [f"NumEnv={options.num_envs}"]
    try:
        configs = {
            arm: load_config(options.recipe, [*options.set, *own, f"PolicyMemory={arm}"]).config
            for arm in ARMS
        }
        check_minibatches(configs["GRU"], "PolicyMemory = GRU")
        with recording("policy_memory", options, ("torch", "numpy")) as record:
            with process_group(Place(0, 1, 0, 1), CPU, 60.0, 60.0):
                turns = measure(configs, options.repeats, Ranks(CPU))
            record.say(f"{sizes_of(configs['none'])}\n\n{table(turns)}")
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
