"""What is typed beside STAGE and ARGS: how much of the cluster a job takes, and for how long."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs.errors import ConfigurationError
from training.cluster.stages import Stage

CORES_OF_A_PROCESS = 8
SHORTEST = 600  # seconds: the last five minutes are for saving
DAYS = re.compile(r"(\d+)-(\d+)(?::(\d+))?(?::(\d+))?")  # days-hours:minutes:seconds
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+)")  # hours:minutes:seconds, or minutes:seconds
MINUTES = re.compile(r"\d+")
OF_RANKS, OF_ARRAYS = ("NODES", "NPROC"), ("TASKS",)
OTHER_WORDS = {"RANKS": "NPROC", "ARRAY": "TASKS"}
OF_ALL = ("GPUS", "CPUS", "TIME", "MOST_STARTS")


@dataclass(frozen=True)
class Resources:
    """What one job asks of the cluster.

    Attributes:
        nodes: machines of the job; 1 for the tasks of an array.
        processes: agent processes on each node.
        gpus: of each node.
        cores: of each node.
        time: after which Slurm ends the job, in Slurm's own spelling.
        tasks: jobs of the array; 1 where it is none.
        most_starts: how often a job is started at most.
    """

    nodes: int
    processes: int
    gpus: int
    cores: int
    time: str
    tasks: int
    most_starts: int


def check_known(given: Mapping[str, str], known: Sequence[str]) -> None:
    """Refuse variables that nobody reads.

    Raises:
        ConfigurationError: with the nearest one.
    """
    for name in given:
        if name not in known:
            word = OTHER_WORDS.get(name.upper(), name.upper())
            near = difflib.get_close_matches(word, known, n=1)
            raise ConfigurationError(
                f"{name}= is no variable of make slurm, which has {', '.join(known)}"
                + (f"; did you mean {near[0]}?" if near else "")
            )


def resources_of(stage: Stage, given: Mapping[str, str]) -> Resources:
    """Return what the variables ask for.

    Args:
        stage: what is run.
        given: the variables that are typed.

    Raises:
        ConfigurationError: one is not a number, does not belong to the stage, or contradicts
            another.
    """
    for name in OF_RANKS if stage.is_array else OF_ARRAYS:
        if name in given:
            raise ConfigurationError(
                f"{name}={given[name]}: STAGE={stage.verb} is {stage.in_words}; "
                + ("TASKS says how many" if stage.is_array else "NODES and NPROC say how large")
            )
    gpus = _count(given, "GPUS", 0, least=0)
    processes = _count(given, "NPROC", gpus or 1)
    if not stage.is_array and gpus and processes != gpus:
        raise ConfigurationError(
            f"NPROC={processes} and GPUS={gpus}: each process takes one GPU of its node; give GPUS "
            "alone"
        )
    return Resources(
        nodes=_count(given, "NODES", 1),
        processes=processes,
        gpus=gpus,
        cores=_count(given, "CPUS", CORES_OF_A_PROCESS * (1 if stage.is_array else processes)),
        time=_time(given.get("TIME", stage.time)),
        tasks=_count(given, "TASKS", 1),
        most_starts=_count(given, "MOST_STARTS", 50),
    )


def _count(given: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < least:
        raise ConfigurationError(f"{name}={text}: is no whole number of {least} or more")
    return int(text)


def _time(text: str) -> str:
    """Return a time limit that Slurm takes.

    Raises:
        ConfigurationError: it is none, or is over before anything has been done.
    """
    if seconds_of(text) < SHORTEST:
        raise ConfigurationError(
            f"TIME={text}: give a limit of {SHORTEST // 60} minutes or more as Slurm spells it: "
            "minutes, hours:minutes:seconds, or days-hours"
        )
    return text


def seconds_of(text: str) -> int:
    """Return the seconds that Slurm reads from a time limit, 0 where it is none."""
    if MINUTES.fullmatch(text):
        return 60 * int(text)
    with_days, clock = DAYS.fullmatch(text), CLOCK.fullmatch(text)
    if with_days is None and clock is None:
        return 0
    parts = with_days.groups("0") if with_days else ("0", *(clock.groups("0") if clock else ()))
    days, hours, minutes, seconds = map(int, parts)
    return ((24 * days + hours) * 60 + minutes) * 60 + seconds
