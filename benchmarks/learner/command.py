"""What acting and an update cost under each option of the arithmetic.

    python -m benchmarks.learner --recipe configs/MontezumaRevenge/config_rnd00.conf
    python -m benchmarks.learner --arms Precision=float32 "Precision=bfloat16 FeatureDim=224"

An arm is the recipe with the settings that its name lists. All arms live in one run and take turns,
so that a busy machine slows all of them; ratios to the first arm are taken turn by turn. In a turn
an arm acts (frames are stacked first, as in training) and learns (PPOAgent.learn, all of it) from a
made-up rollout, the same for all. No environment is stepped.
"""

import argparse
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from benchmarks.learner.agent import SEED
from benchmarks.learner.made_up_play import MadeUpPlay, made_up_spec
from benchmarks.learner.turns import Arm, Cost, Turn, measure, take_turns
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT
from configs.errors import ConfigurationError, ScoutError
from configs.loading import load_config
from configs.schema import Config
from training.building.learner import rollout_shape
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import Place, process_group

ARMS = ("Precision=float32", "Precision=bfloat16")
COMPILED = ", policy compiled"  # after an arm's settings


def configurations(
    recipe: Path, arms: Sequence[str], num_envs: int, overrides: Sequence[str]
) -> dict[str, Config]:
    """Return each arm's configuration.

    Args:
        recipe: the .conf file.
        arms: "Key=Value Key=Value" texts.
        num_envs: environments.
        overrides: "Key=Value" texts for all arms.

    Raises:
        ConfigurationError: one cannot be read, shows state vectors, or has other rollouts.
    """
    common = [*overrides, f"NumEnv={num_envs}"]
    configs = {arm: load_config(recipe, [*common, *arm.split()]).config for arm in arms}
    if not all(config.observes_pixels for config in configs.values()):
        raise ConfigurationError(f"{recipe}: its observations are state vectors, not frames")
    if len({rollout_shape(each, made_up_spec(each), num_envs) for each in configs.values()}) > 1:
        raise ConfigurationError("all arms learn from one rollout; theirs differ in size")
    return configs


def table(turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return one row per arm: medians with their range, ratios to the first arm turn by turn."""
    lines = [
        "| | act, CPU ms | act, wall ms | CPU / first | update, CPU us | update, wall us | "
        "CPU / first |",
        "|---|---|---|---|---|---|---|",
    ]
    first = next(iter(turns.values()))
    for name, own in turns.items():
        updates = [
            (turn.update, base.update)
            for turn, base in zip(own, first, strict=True)
            if turn.update is not None and base.update is not None
        ]
        acts = [(turn.act, base.act) for turn, base in zip(own, first, strict=True)]
        cells = [*_cells(acts, 1e3, 1), *(_cells(updates, 1e6, 0) if updates else ["-"] * 3)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(pairs: Sequence[tuple[Cost, Cost]], unit: float, digits: int) -> list[str]:
    """Return CPU time, wall time, and the ratio of CPU times."""
    return [
        spread([own.cpu * unit for own, _ in pairs], digits),
        spread([own.wall * unit for own, _ in pairs], digits),
        spread([own.cpu / base.cpu for own, base in pairs], 2),
    ]


def sizes(config: Config) -> str:
    """Return what the table's numbers are for, in words."""
    ppo, num_envs = config.ppo, config.run.num_envs
    samples = ppo.rollout_steps * num_envs
    return (
        f"act: for a batch of {num_envs} observations. Update: for a sample and epoch, "
        f"{ppo.rollout_steps} steps x {num_envs} environments in minibatches of "
        f"{samples // ppo.num_minibatches}. Medians with the range."
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learner",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe = PROJECT / "configs/MontezumaRevenge/config_rnd00.conf"
    parser.add_argument("--recipe", type=Path, default=recipe)
    parser.add_argument("--arms", nargs="+", default=ARMS, metavar="'Key=Value ...'")
    parser.add_argument("--num_envs", type=int, default=64, help="environments (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each arm (%(default)s)")
    parser.add_argument("--batches", type=int, default=50, help="acted on a turn (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (%(default)s)")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="each arm once more, acting with its policy under torch.compile; needs a C++ compiler",
    )
    parser.add_argument("--set", action="append", default=[], metavar="Key=Value")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.repeats, options.batches, options.threads, options.num_envs) < 1:
        parser.error("--repeats, --batches, --threads and --num_envs must be at least 1")
    return options


def run(options: argparse.Namespace, configs: Mapping[str, Config]) -> str:
    """Measure all arms; return the table."""
    first = next(iter(configs.values()))
    spec, num_envs = made_up_spec(first), first.run.num_envs
    rollout = RolloutBuffer(rollout_shape(first, spec, num_envs), torch.device("cpu"))
    with process_group(Place(0, 1, 0, 1), torch.device("cpu"), 60.0, 60.0):
        ranks = Ranks(torch.device("cpu"))
        arms = {name: Arm(config, ranks, compiled=False) for name, config in configs.items()}
        if options.compile:
            arms |= {
                name + COMPILED: Arm(config, ranks, compiled=True)
                for name, config in configs.items()
            }
        play = MadeUpPlay(spec, num_envs, SEED)
        turns = take_turns(arms, rollout, play, options.repeats, options.batches)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    stacking = [stack_all(rollout, first.ppo.num_minibatches).cpu for _ in range(options.repeats)]
    return (
        f"{sizes(first)}\n\n{table(turns)}\n\n"
        f"A stack from single frames: {spread([cost * 1e6 for cost in stacking], 1)} us. "
        f"The rollout: {storage(rollout):,.0f} MB. All arms together: {memory:,.0f} MB at most."
    )


def stack_all(rollout: RolloutBuffer, num_minibatches: int) -> Cost:
    """Return what it takes to put one sample's stack together, in minibatches drawn at random."""
    num_samples = rollout.rewards.numel()
    order = torch.randperm(num_samples, generator=torch.Generator().manual_seed(SEED))
    batches = order.chunk(num_minibatches)
    return measure(lambda: [rollout.observations(batch) for batch in batches], num_samples)


def storage(rollout: RolloutBuffer) -> float:
    """Return the MB of a rollout's tensors; views of the same memory count once."""
    tensors = [value for value in vars(rollout).values() if isinstance(value, torch.Tensor)]
    memory = [tensor.untyped_storage() for tensor in tensors]
    return sum({each.data_ptr(): each.nbytes() for each in memory}.values()) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    try:
        configs = configurations(options.recipe, options.arms, options.num_envs, options.set)
        with recording("learner", options, ("torch", "numpy")) as record:
            record.say(run(options, configs))
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0
