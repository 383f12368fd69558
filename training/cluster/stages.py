"""The long verbs of main.py, and how each is run on a cluster."""

import difflib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from configs.errors import ConfigurationError

TASK = '"$SLURM_ARRAY_TASK_ID"'


@dataclass(frozen=True)
class Stage:
    """A verb on a cluster.

    Attributes:
        verb: without its dashes.
        is_array: whether it is an array of jobs, each with a share of the work; else it is one
            job, of ranks on one node or several.
        time: Slurm's limit unless another is given.
        names: the flag after which the job is named.
        resumes: whether the verb goes on only where it is told to.
        count: the flag that takes the number of an array's tasks.
        of_task: what a task of an array adds to the words for main.py, as the shell reads it.
        own: flags that the job gives itself.
        guide: what explains it, in docs/.
    """

    verb: str
    is_array: bool
    time: str
    names: str
    resumes: bool = True
    count: str = ""
    of_task: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    guide: str = "multinode.md"

    @property
    def in_words(self) -> str:
        """What the job is."""
        return "an array of jobs" if self.is_array else "one job of several processes"


STAGES: Mapping[str, Stage] = {
    stage.verb: stage
    for stage in (
        Stage(
            "collect",
            is_array=True,
            time="04:00:00",
            names="out_dir",
            count="--num_instances",
            of_task={"--instance": TASK, "--parallelism": '"$SLURM_CPUS_PER_TASK"'},
            own=("--instance", "--num_instances"),
            guide="collecting.md",
        ),
        Stage(
            "encode",
            is_array=True,
            time="04:00:00",
            names="out_dir",
            resumes=False,  # it always does
            count="--num_outer_shards",
            of_task={"--outer_shard_index": TASK},
            own=("--outer_shard_index", "--num_outer_shards"),
            guide="encoders.md",
        ),
        Stage("train", is_array=False, time="24:00:00", names="log_name"),
        Stage("train_encoder", is_array=False, time="24:00:00", names="model_dir"),
        Stage("train_dynamics", is_array=False, time="24:00:00", names="model_dir"),
    )
}


def stage_named(name: str, verbs: Container[str]) -> Stage:
    """Return a stage.

    Args:
        name: what was typed.
        verbs: those that main.py has.

    Raises:
        ConfigurationError: there is none of that name; the nearest one is told.
    """
    names = [each for each in STAGES if each in verbs]
    if name in names:
        return STAGES[name]
    near = difflib.get_close_matches(name.lstrip("-").lower(), names, n=1)
    raise ConfigurationError(
        f"STAGE={name}: make slurm writes jobs of {', '.join(names)}"
        + (f"; did you mean {near[0]}?" if near else "")
    )
