"""Experiment files in RLlib's YAML form, and the flags that come with them."""

import argparse
import os

from commands.common import add_local_dir, path, positive_int
from commands.parser import Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from configs.experiments.loading import Experiment
    from configs.loading import LoadedConfig

LOCAL_MODE = ("WorkerBackend=in_process", "OverlapCollection=False")
# Whoever looks around in a debugger is not hung.
PATIENCE = {"CollectiveTimeout": "1000000", "StartTimeout": "1000000"}


def add_experiment_flags(parser: Parser) -> None:
    """Add what `rllib train` has."""
    group = parser.group("an experiment file (--train)")
    group.add_argument(
        *("-f", "--file"),
        dest="experiment_file",
        type=path,
        metavar="FILE.yaml",
        help="an experiment in RLlib's YAML form in the place of a recipe; what cannot be honoured "
        "is refused, see docs/coming_from.md",
    )
    group.add_argument(
        "--experiment", metavar="NAME", help="which experiment of the file, where it holds several"
    )
    group.add_argument(
        *("--checkpoint_freq", "--checkpoint-freq"),
        type=positive_int,
        metavar="N",
        help="updates between two checkpoints (key saveCkptEvery)",
    )
    group.add_argument(
        *("--checkpoint_at_end", "--checkpoint-at-end"),
        action="store_true",
        help="changes nothing: the end of a run is always saved",
    )
    group.add_argument(
        *("--local_mode", "--local-mode"),
        action="store_true",
        help="one process alone, which steps the environments itself, waits for a debugger and "
        "prints plain lines: breakpoint() works in environment and model",
    )
    add_local_dir(parser)


def check_experiment_flags(parser: Parser, args: argparse.Namespace) -> None:
    """Refuse a recipe beside an experiment, and what local mode has not."""
    has_recipe = any(word.startswith("--config_path") for word in parser.typed)
    if args.experiment_file is not None and has_recipe:
        parser.error("--file is in the place of a recipe; leave out --config_path")
    if args.experiment_file is not None and args.experiment_file.suffix == ".conf":
        parser.error(f"--file takes YAML; a recipe is read by --config_path={args.experiment_file}")
    if args.experiment is not None and args.experiment_file is None:
        parser.error("--experiment names one of an experiment file: it needs --file")
    if not args.local_mode:
        return
    if args.num_workers is not None:
        parser.error("--local_mode has no worker processes; leave out --num_workers")
    if "TORCHELASTIC_RUN_ID" in os.environ or os.environ.get("WORLD_SIZE", "1") != "1":
        parser.error("--local_mode is one process, without torchrun: python main.py --train ...")


def keys_of_flags(args: argparse.Namespace) -> list[str]:
    """Return the keys that these flags set, as Key=Value."""
    keys = [] if args.checkpoint_freq is None else [f"saveCkptEvery={args.checkpoint_freq}"]
    return [*keys, *_keys_of_local_mode(args)]


def _keys_of_local_mode(args: argparse.Namespace) -> list[str]:
    if not args.local_mode:
        return []
    typed = {text.partition("=")[0].strip().casefold() for text in args.overrides}
    patience = (f"{key}={value}" for key, value in PATIENCE.items() if key.casefold() not in typed)
    return [*LOCAL_MODE, *patience]


def told_of_local_mode(args: argparse.Namespace, loaded: "LoadedConfig") -> "LoadedConfig":
    """Return a configuration that says which keys --local-mode has set, and not the user."""
    from dataclasses import replace

    from configs.loading import LOCAL_MODE as SOURCE

    keys = [text.partition("=")[0] for text in _keys_of_local_mode(args)]
    return replace(loaded, sources={**loaded.sources, **dict.fromkeys(keys, SOURCE)})


def started_ranks() -> int:
    """Return how many ranks torchrun has started; what is no number is refused later."""
    told = os.environ.get("WORLD_SIZE", "1")
    return max(1, int(told)) if told.isdecimal() else 1


def read_experiment(args: argparse.Namespace, overrides: list[str], num_ranks: int) -> "Experiment":
    """Read the experiment that is typed.

    Args:
        args: what is typed.
        overrides: the keys that are set on the command line, as Key=Value.
        num_ranks: agent processes that share its environments.

    Raises:
        ConfigurationError: with all that cannot be honoured.
    """
    from dataclasses import replace

    from configs.experiments.loading import load_experiment
    from configs.schema import EnvironmentSection
    from training.collecting.environment_names import settings_for

    def environment_of(env_id: str) -> list[str]:
        default = EnvironmentSection()
        own = [f"EnvType={default.env_type}", f"EnvID={default.env_id}"]
        return settings_for(env_id, default, "env =") or own

    experiment = load_experiment(
        args.experiment_file,
        args.experiment,
        overrides,
        num_ranks=num_ranks,
        environment_of=environment_of,
    )
    return replace(experiment, loaded=told_of_local_mode(args, experiment.loaded))
