"""ARGS: the words for main.py in a job file."""

import shlex
from collections.abc import Sequence
from os.path import expanduser

from configs.errors import ConfigurationError
from training.cluster.stages import Stage

# What no job can be told, and why.
NEVER = {
    "--overwrite": "every start of the job would remove what the last one did",
    "--gpu_id": "Slurm gives a job its GPUs; GPUS=N says how many",
    "--gpu_index": "Slurm gives a job its GPUs; GPUS=N says how many",
}


def words_of(stage: Stage, text: str) -> list[str]:
    """Return the words of ARGS, the stage's own flag left out.

    Raises:
        ConfigurationError: they cannot be told apart, or a job cannot be told one of them.
    """
    try:
        words = [expanduser(word) for word in shlex.split(text) if word != f"--{stage.verb}"]
    except ValueError as error:
        raise ConfigurationError(f"ARGS: a quotation mark is open ({error})") from error
    for word in words:
        check_plain("ARGS", word)
        flag = word.partition("=")[0]
        if flag in NEVER:
            raise ConfigurationError(f"ARGS: {flag} is nothing for a job: {NEVER[flag]}")
        if flag in stage.own:
            raise ConfigurationError(f"ARGS: each task has its own {flag}; TASKS=N says how many")
    return words


def check_plain(place: str, text: str) -> None:
    """Refuse what a reader of the job file would take for something else.

    Raises:
        ConfigurationError: it holds a variable of the shell, or a character without a picture.
    """
    if "$" in text or "`" in text or not text.isprintable():
        raise ConfigurationError(
            f"{place}: {text!r} stands in the job file letter by letter: no variable is filled in, "
            "and a line cannot be broken; write out what is meant"
        )


def job_words(stage: Stage, words: Sequence[str], tasks: int, log_name: str | None) -> list[str]:
    """Return all that a job tells main.py, what differs between an array's tasks left out.

    Args:
        stage: what is run.
        words: those of ARGS.
        tasks: of an array.
        log_name: the run's name, for training an agent.
    """
    added = [f"--{stage.verb}"]
    if stage.resumes and "--resume" not in words:
        added.append("--resume")
    if log_name is not None and not _has(words, "--log_name"):
        added.append(f"--log_name={log_name}")
    if stage.count:
        added.append(f"{stage.count}={tasks}")
    return [*added, *words]


def task_words(stage: Stage, words: Sequence[str]) -> str:
    """Return what a task adds, as the shell reads it; what is typed in ARGS goes before it."""
    added = [f"{flag} {value}" for flag, value in stage.of_task.items() if not _has(words, flag)]
    return " ".join(added)


def lines_of(words: Sequence[str]) -> str:
    """Return the words for the shell, each flag with its values on a line of its own."""
    lines: list[str] = []
    for word in words:
        if word.startswith("--") or not lines:
            lines.append(f"  {shlex.quote(word)}")
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return "\n".join(lines)


def _has(words: Sequence[str], flag: str) -> bool:
    return any(word.partition("=")[0] == flag for word in words)
