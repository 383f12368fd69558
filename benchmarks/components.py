"""What an update costs with each bonus and each representation head, beside RND alone.

    python -m benchmarks.components --recipe configs/Pong/config_rnd00.conf --repeats 5
    python -m benchmarks.components --arms RND+BYOL BYOL-Explore --set WorldModelHorizon=4

All arms live in one run and take turns, so that a busy machine slows all of them; ratios are taken
turn by turn. In a turn an arm learns (PPOAgent.learn) from a made-up rollout, the same for all. No
environment is stepped and no action chosen, which costs every arm about the same, so the ratios of
whole runs are nearer to 1. An arm is the recipe with another bonus or head; what the recipe leaves
open about them has its default, or what --set says.
"""

import argparse
import gc
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from benchmarks.arms import ALONE, ARMS, BASELINE
from benchmarks.learner.agent import SEED, build_agent
from benchmarks.learner.made_up_play import MadeUpPlay, made_up_spec
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT
from configs.errors import ConfigurationError, ScoutError
from configs.loading import load_config
from configs.schema import Config
from training.building.learner import rollout_shape
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import Place, process_group


@dataclass(frozen=True)
class Turn:
    """What one update of an arm took, in microseconds per env step."""

    cpu: float  # of all threads of this process
    wall: float


def configurations(
    recipe: Path, arms: Sequence[str], num_envs: int | None, overrides: Sequence[str]
) -> dict[str, Config]:
    """Return each arm's configuration; that of RND alone is always among them.

    Args:
        recipe: the .conf file.
        arms: names in ARMS.
        num_envs: environments, or None for the recipe's own number.
        overrides: "Key=Value" texts for all arms.

    Raises:
        ConfigurationError: the recipe cannot be an arm, or shows state vectors.
    """
    common = [*overrides, *([] if num_envs is None else [f"NumEnv={num_envs}"])]
    configs = {}
    for name, own in ARMS.items():
        if name in arms or name == BASELINE:
            of_arm = [f"{key}={value}" for key, value in (ALONE | own).items()]
            configs[name] = load_config(recipe, [*common, *of_arm]).config
    if not configs[BASELINE].observes_pixels:
        raise ConfigurationError(
            f"{recipe}: its observations are state vectors, and the heads learn from pixels; "
            "name a recipe with ObservationType = pixels"
        )
    return configs


def measure(configs: Mapping[str, Config], repeats: int, ranks: Ranks) -> dict[str, list[Turn]]:
    """Let all arms take `repeats` turns each, after one that is not counted."""
    agents = {name: build_agent(config, ranks) for name, config in configs.items()}
    baseline = configs[BASELINE]
    spec, num_envs = made_up_spec(baseline), baseline.run.num_envs
    rollout = RolloutBuffer(rollout_shape(baseline, spec, num_envs), torch.device("cpu"))
    play = MadeUpPlay(spec, num_envs, SEED)
    turns: dict[str, list[Turn]] = {name: [] for name in agents}
    for repeat in range(-1, repeats):
        play.fill(rollout)
        gc.collect()
        for name, agent in agents.items():
            turn = take_turn(agent, rollout)
            if repeat >= 0:
                turns[name].append(turn)
    return turns


def take_turn(agent: PPOAgent, rollout: RolloutBuffer) -> Turn:
    """Let one arm learn, and measure it."""
    cpu, wall = time.process_time(), time.perf_counter()
    agent.learn(rollout)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    env_steps = rollout.rewards.numel()
    return Turn(cpu / env_steps * 1e6, wall / env_steps * 1e6)


def table(turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return one row per arm: medians with their range, ratios taken turn by turn."""
    lines = [
        f"| | CPU us/step | wall us/step | CPU / {BASELINE} | wall / {BASELINE} |",
        "|---|---|---|---|---|",
    ]
    for name, own in turns.items():
        pairs = list(zip(own, turns[BASELINE], strict=True))
        cells = (
            spread([turn.cpu for turn in own]),
            spread([turn.wall for turn in own]),
            spread([turn.cpu / base.cpu for turn, base in pairs], 2),
            spread([turn.wall / base.wall for turn, base in pairs], 2),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def sizes(config: Config) -> str:
    """Return what all arms have in common, in words."""
    environment, ppo, run = config.environment, config.ppo, config.run
    return (
        f"{ppo.rollout_steps} steps x {run.num_envs} environments, {environment.stack_size} frames "
        f"of {environment.frame_height} x {environment.frame_width}, {ppo.epochs} epochs x "
        f"{ppo.num_minibatches} minibatches, {run.precision}"
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.components",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--recipe", type=Path, default=PROJECT / "configs/Pong/config_rnd00.conf")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--num_envs", type=int, help="environments (the recipe's)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each arm (%(default)s)")
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
    try:
        configs = configurations(options.recipe, options.arms, options.num_envs, options.set)
        with recording("components", options, ("torch", "numpy")) as record:
            with process_group(Place(0, 1, 0, 1), torch.device("cpu"), 60.0, 60.0):
                turns = measure(configs, options.repeats, Ranks(torch.device("cpu")))
            record.say(f"{sizes(configs[BASELINE])}\n\n{table(turns)}")
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
