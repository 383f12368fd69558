"""--train: train an agent."""

import argparse

from commands.common import add_continuing, add_models, add_tracking, path, positive_int
from commands.experiment import add_experiment_flags, check_experiment_flags
from commands.one_voice import say_last
from commands.parser import VERBS_TITLE, Parser
from commands.run_options import prepare_run

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from typing import Literal

    Agent = Literal["PPO", "CMA-ES", "TD3"]
    from training.algorithm import Algorithm

EXAMPLE = """\
  torchrun --nnodes 1 --nproc_per_node 1 --standalone main.py --train \\
      --config_path=configs/demo_config.conf --log_name=demo"""


def add_flags(parser: Parser) -> None:
    """Add --train and the flags of training alone."""
    parser.group(VERBS_TITLE).add_argument("--train", action="store_true", help="train an agent")
    add_continuing(parser)
    add_tracking(parser)
    training = parser.group("training (--train)")
    training.add_argument(
        "--save_model_path", type=path, help="checkpoint to write (default checkpoints/NAME.ckpt)"
    )
    training.add_argument(
        "--max_env_steps", type=positive_int, metavar="N", help="env steps in all (TotalEnvSteps)"
    )
    add_experiment_flags(parser)
    add_evolution_flags(parser)
    add_profiling_flags(parser)


def add_evolution_flags(parser: Parser) -> None:
    """Add the flags of Agent = CMA-ES."""
    group = parser.group("evolution of a small controller (--train, Agent = CMA-ES)")
    for flag, key in (
        ("--cma_population_size", "PopulationSize"),
        ("--cma_trials_per_member", "TrialsPerMember"),
        ("--cma_steps", "Generations"),
        ("--rollout_max_steps", "RolloutMaxSteps"),
    ):
        group.add_argument(flag, type=positive_int, metavar="N", help=f"key {key}")
    add_models(parser)


def add_profiling_flags(parser: Parser) -> None:
    """Add the flags that end a run after a few rollouts."""
    profiling = parser.group("profiling (--train; the run stops by itself)")
    profiling.add_argument(
        "--scalene_profiling",
        "--profile_updates",
        dest="profile_updates",
        type=positive_int,
        metavar="N",
        help="stop after N rollouts; for scalene, kernprof and the like",
    )
    profiling.add_argument(
        "--pytorch_profiling",
        action="store_true",
        help="record two updates with torch.profiler, then stop",
    )


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse flags that contradict each other."""
    check_experiment_flags(parser, args)


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    import bdb

    from workers.processes.early_signals import delay_interrupts

    options, loaded = prepare_run(args)
    delay_interrupts()
    from training.launch import train

    try:
        return train(options, loaded, _algorithm(loaded.config.run.agent))
    except bdb.BdbQuit:
        say_last(130, "the debugger was left; what came after the last save is lost")
        return 130


def _algorithm(agent: "Agent") -> "Algorithm":
    """Return how an agent is trained; nothing of the others is imported."""
    match agent:
        case "PPO":
            from training.assembly import PPO

            return PPO
        case "CMA-ES":
            from training.evolution.assembly import CMA_ES

            return CMA_ES
        case "TD3":
            from training.off_policy.assembly import TD3

            return TD3
