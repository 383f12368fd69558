"""make slurm: a job file for a long verb, its words checked by the parser that will read them.

    python -m commands.slurm STAGE=encode TASKS=4 ARGS='--model runs/vae ...' [NAME=VALUE ...]

No verb of main.py, whose flags these words are.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands.common import note_recipe, typed_recipe
from commands.one_voice import say_last
from commands.run_options import collect_overrides, read_recipe
from commands.verbs import VERBS, build_parser, checked_verb

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from training.cluster.stages import Stage
    from training.folders.run_folder import RunFolder

OWN = ("STAGE", "ARGS", "FILE", "OVERWRITE")
OF_MAKE = ("VENV", "PYTHON", "TORCH_INDEX")  # which it may be given with any target
# Variables of make's other targets that are a flag of main.py.
FLAGS = {"CONFIG": "--config_path", "LOG_NAME": "--log_name", "NUM_ENV": "--num_env_per_process"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the job file; return the exit code."""
    from configs.errors import ScoutError

    words = sys.argv[1:] if arguments is None else arguments
    given = {name: value for name, _, value in (word.partition("=") for word in words)}
    try:
        file = _write({name: value for name, value in given.items() if name not in OF_MAKE})
    except ScoutError as error:
        say_last(error.exit_code, f"error: {error}")
        return error.exit_code
    import shlex

    print(f"written: {file}")
    print(f"submit it from this folder: sbatch {shlex.quote(str(file))}")
    return 0


def _write(given: Mapping[str, str]) -> Path:
    """Write what the variables ask for; return the job file.

    Raises:
        ScoutError: they cannot be used, or the file cannot be written.
    """
    import shlex

    from training.cluster.job_file import FOLDER, job_name, script, write_job
    from training.cluster.stages import stage_named
    from training.cluster.variables import OF_ALL, OF_ARRAYS, OF_RANKS, check_known, resources_of
    from training.cluster.words import check_plain, words_of

    for variable in given.keys() - {"ARGS"}:  # whose words are looked at one by one
        check_plain(variable, given[variable])
    check_known(given, (*OWN, *OF_ALL, *OF_RANKS, *OF_ARRAYS, *FLAGS))
    stage = stage_named(given.get("STAGE", ""), VERBS)
    resources = resources_of(stage, given)
    flags = [f"{flag}={given[name]}" for name, flag in FLAGS.items() if name in given]
    words = words_of(stage, f"{shlex.join(flags)} {given.get('ARGS', '')}")
    args = _parsed(stage, words)
    log_name, folder = None, getattr(args, "model_dir", None)
    if stage.names == "log_name":
        run = _run_folder(args, resources.nodes * resources.processes)
        log_name, folder = run.name, run.path
    else:
        _check_recipe(stage, args)
    named = getattr(args, stage.names) if log_name is None else log_name
    name = job_name(stage, os.path.basename(os.path.abspath(named)))
    file = Path(os.path.expanduser(given.get("FILE") or FOLDER / f"{name}.sbatch"))
    text = script(stage, resources, words, name=name, log_name=log_name, folder=folder)
    write_job(file, text, overwrite=given.get("OVERWRITE", "") != "")
    return file


def _parsed(stage: "Stage", words: Sequence[str]) -> argparse.Namespace:
    """Return the words as main.py would read them; one that it would refuse ends the program."""
    parser = build_parser()
    args = parser.parse_args([f"--{stage.verb}", *words])
    checked_verb(parser, args)
    note_recipe(parser, args)
    return args


def _run_folder(args: argparse.Namespace, num_ranks: int) -> "RunFolder":
    """Return the folder of the run that main.py would train.

    Raises:
        ConfigurationError: the recipe, the experiment or the run's name cannot be used.
    """
    from training.folders.run_folder import RunFolder

    asked = read_recipe(args, num_ranks)
    name = asked.log_name if args.log_name is None else args.log_name
    return RunFolder(asked.logs, name)


def _check_recipe(stage: "Stage", args: argparse.Namespace) -> None:
    """Read the recipe of a verb that trains no agent as main.py would.

    Raises:
        ConfigurationError: it cannot be used.
    """
    from configs.loading import load_config

    keys = getattr(VERBS[stage.verb], "FLAGS", {})
    values = {key: getattr(args, flag) for flag, key in keys.items() if flag != "seed"}
    settings = [f"{key}={value}" for key, value in values.items() if value is not None]
    load_config(typed_recipe(args), [*collect_overrides(args), *settings])


if __name__ == "__main__":
    sys.exit(main())
