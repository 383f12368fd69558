"""Flags that several verbs share."""

import argparse
import os
from pathlib import Path

from commands.parser import COMMON_TITLE, Parser


def positive_int(text: str) -> int:
    """Parse a whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return value


def path(text: str) -> Path:
    """Parse a path; a shell leaves the ~ of --flag=~/file to the program.

    That of an unknown user stays as it is, where pathlib would raise.
    """
    return Path(os.path.expanduser(text))


def folder(text: str) -> Path:
    """Parse the path of a folder to write into, which may not be there yet.

    Raises:
        argparse.ArgumentTypeError: it is a file, or lies in one.
    """
    named = path(text)
    for place in (named, *named.parents):
        if os.path.lexists(place) and not place.is_dir():
            raise argparse.ArgumentTypeError(f"{place} is no folder, but a file")
    return named


def add_common_flags(parser: Parser) -> None:
    """Add the flags that all verbs share."""
    common = parser.group(COMMON_TITLE)
    common.add_argument(
        "--config_path",
        type=path,
        default=Path("configs/demo_config.conf"),
        help="recipe (default %(default)s; of a checkpoint that plays or is exported: its own)",
    )
    common.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="Key=Value",
        help="override a configuration key; repeatable",
    )
    common.add_argument(
        "--log_name",
        help="name of the run (default: from the recipe's path; with --eval and --export that of "
        "the run which the checkpoint is of)",
    )
    common.add_argument(
        "--load_model_path", type=path, help="checkpoint to continue from, evaluate or export"
    )
    common.add_argument("--seed", type=int, help="the run's seed (key Seed)")
    common.add_argument(
        "--num_env_per_process",
        type=positive_int,
        metavar="N",
        help="environments of each agent process (key NumEnv)",
    )
    common.add_argument(
        "--num_workers",
        type=positive_int,
        metavar="N",
        help="worker processes or emulator threads of each rank (default: its share of the cores; "
        "no workers where the rank steps cheap environments itself, see WorkerBackend)",
    )
    common.add_argument(
        *("--gpu_id", "--gpu_index"),
        dest="gpu_id",
        type=int,
        metavar="N",
        help="the GPU to use, with one process only",
    )


def note_recipe(parser: Parser, args: argparse.Namespace) -> None:
    """Note whether a recipe was typed: some verbs have no use for that of the demo."""
    args.has_recipe = any(word.startswith("--config_path") for word in parser.typed)


def typed_recipe(args: argparse.Namespace) -> Path | None:
    """Return the recipe that was typed, if one was (see `note_recipe`)."""
    recipe: Path | None = args.config_path if args.has_recipe else None
    return recipe


def add_continuing(parser: Parser) -> None:
    """Add --resume and --overwrite, unless another verb has done so."""
    if parser.knows("--resume"):
        return
    group = parser.group(
        "what is there already (--train, --rollout, --collect, --train_encoder, --train_dynamics)"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue a run, or the model in --model_dir, from its newest good checkpoint; "
        "complete a dataset",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an existing run of this name, the model in --model_dir, the dataset in "
        "--out_dir, or a rollout",
    )


def add_tracking(parser: Parser) -> None:
    """Add --use_wandb, unless another verb has done so."""
    if parser.knows("--use_wandb"):
        return
    parser.group("curves elsewhere (--train, --train_encoder, --train_dynamics)").add_argument(
        "--use_wandb",
        action="store_true",
        help="mirror the curves to Weights & Biases; the key comes from the environment",
    )


def add_local_dir(parser: Parser) -> None:
    """Add --local_dir, unless another verb has done so."""
    if parser.knows("--local_dir"):
        return
    parser.group("where runs lie (--train, --eval, --export)").add_argument(
        *("--local_dir", "--local-dir"),
        type=folder,
        metavar="DIR",
        help="the folder of logs/ and, unless it is named, of checkpoints/NAME.ckpt (default: the "
        "current one)",
    )


def add_episodes(parser: Parser) -> None:
    """Add --episodes, unless another verb has done so."""
    if parser.knows("--episodes"):
        return
    parser.group("how much is played (--eval, --rollout, --visualise)").add_argument(
        "--episodes",
        type=positive_int,
        metavar="N",
        help="episodes to play (default 20 to evaluate, 5 to draw)",
    )


def add_greedy(parser: Parser) -> None:
    """Add --greedy, unless another verb has done so."""
    if parser.knows("--greedy"):
        return
    parser.group("how a checkpoint acts (--eval, --rollout)").add_argument(
        "--greedy", action="store_true", help="take the likeliest action instead of sampling"
    )


def add_save_info(parser: Parser) -> None:
    """Add --save_info, unless another verb has done so."""
    if parser.knows("--save_info"):
        return
    parser.group("what is written of its games (--eval --save_rollouts, --rollout)").add_argument(
        *("--save_info", "--save-info"),
        action="store_true",
        help="also what the environment tells of a game, such as rooms",
    )


def add_policy(parser: Parser) -> None:
    """Add --policy, unless another verb has done so."""
    if parser.knows("--policy"):
        return
    parser.group("who acts (--collect, --visualise, --play)").add_argument(
        "--policy",
        help="random, brownian (continuous actions that keep their direction), and to collect or "
        "to play also the path of a checkpoint, or module:Class of your own (default random; to "
        "draw or play, that of the model's dataset where it is one of the two)",
    )


def add_models(parser: Parser) -> None:
    """Add --vision_model and --memory_model, unless another verb has done so."""
    if parser.knows("--vision_model"):
        return
    group = parser.group("models to look through (--train with Agent = CMA-ES, --play)")
    group.add_argument(
        "--vision_model",
        type=path,
        metavar="DIR",
        help="folder of an encoder (key VisionModel); to --play, of one that draws",
    )
    group.add_argument(
        "--memory_model",
        type=path,
        metavar="DIR",
        help="folder of a model of sequences of its latents (key MemoryModel)",
    )


def add_out(parser: Parser) -> None:
    """Add --out, unless another verb has done so."""
    if parser.knows("--out"):
        return
    parser.group(
        "where it is written (--report, --export, --rollout, --probe, --visualise, --play)"
    ).add_argument(
        "--out",
        type=path,
        metavar="PATH",
        help="where the report of one run, or the comparison of several, is written as .html "
        "(default logs/runs/NAME/report.html, logs/reports); the folder of an export (default "
        "exports/NAME) or of a rollout (default NAME_rollout beside the checkpoint); the page of a "
        "probe (.html) and the film of play (.mp4), by default in the model's folder",
    )
