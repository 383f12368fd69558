"""What `make world_model` runs.

python -m training.world_model --preset small --folder runs/world_model
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from configs.errors import ConfigurationError, ScoutError
from training.folders.last_word import leave_last_word
from training.live.console import final_message
from training.world_model.page import write_page
from training.world_model.presets import PRESETS
from training.world_model.running import Pipeline
from training.world_model.stages import stages_of
from workers.processes.lost_terminal import outlive_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all stages that are not whole, then write the page; return the exit code."""
    outlive_terminal()
    args = _parser().parse_args(arguments)
    try:
        return _run(args.preset, args.folder, args.seed, args.ranks, overwrite=args.overwrite)
    except ScoutError as error:
        text = f"error: {error}"
        final_message(text)
        leave_last_word(error.exit_code, text)
        return error.exit_code


def _run(preset: str, folder: Path, seed: int, ranks: int, *, overwrite: bool) -> int:
    if ranks < 1:
        raise ConfigurationError(f"--ranks {ranks}: choose 1 or more")
    stages = stages_of(PRESETS[preset], folder, seed)
    code = Pipeline(folder, stages, ranks, overwrite).run()
    if code == 0:
        final_message(f"page        {write_page(folder, preset, stages)}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.world_model",
        description="Collect rollouts of CarRacing, learn a world model, evolve a controller in "
        "it, drive. Stages that are whole are passed over, so the same command goes on.",
        allow_abbrev=False,
    )
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--folder", type=Path, help="of all that is made", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ranks", type=int, default=1, metavar="N", help="processes of a stage that several share"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what was made with other settings"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
