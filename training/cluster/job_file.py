"""The job file itself: a template with the job's own lines, written where it is looked for."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from configs.errors import ConfigurationError
from training.cluster.stages import Stage
from training.cluster.variables import Resources
from training.cluster.words import job_words, lines_of, task_words
from training.folders.files import storage_error
from training.folders.run_folder import STATUS_FILE

FOLDER = Path("logs", "slurm")
TEMPLATES = Path(__file__).parent
GAP = re.compile(r"@([A-Z_]+)@")
NO_LINE = "@GPU_LINE@\n"


def job_name(stage: Stage, named: str) -> str:
    """Return a job's name, of characters that any file may be called by."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{stage.verb}-{named}")


def script(
    stage: Stage,
    resources: Resources,
    words: Sequence[str],
    *,
    name: str,
    log_name: str | None = None,
    folder: Path | None = None,
) -> str:
    """Return the text of a job file.

    Args:
        stage: what is run.
        resources: what the job asks of the cluster.
        words: those of ARGS.
        name: the job's.
        log_name: the run's, where an agent is trained.
        folder: the run's or the model's, where something is trained.
    """
    values = {
        "VERB": stage.verb,
        "GUIDE": stage.guide,
        "JOB_NAME": name,
        "NODES": str(resources.nodes),
        "PROCESSES": str(resources.processes),
        "CORES": str(resources.cores),
        "GPU_LINE": f"#SBATCH --gpus-per-node={resources.gpus}",
        "TIME": resources.time,
        "LAST_TASK": str(resources.tasks - 1),
        "WORDS": lines_of(job_words(stage, words, resources.tasks, log_name)),
        "TASK_WORDS": task_words(stage, words),
        "MOST_STARTS": str(resources.most_starts),
        "BIN": shlex.quote(str(programs())),
    }
    if not stage.is_array:
        assert folder is not None
        values["STATUS"] = shlex.quote(str(folder / STATUS_FILE))
    file = TEMPLATES / ("array.sbatch" if stage.is_array else "ranks.sbatch")
    text = file.read_text(encoding="utf-8")
    if not resources.gpus:
        text = text.replace(NO_LINE, "")
    return GAP.sub(lambda gap: values[gap[1]], text)


def programs() -> Path:
    """Return where python and torchrun lie, from Scout's folder where they lie in it."""
    folder = Path(sys.executable).parent
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def write_job(file: Path, text: str, *, overwrite: bool) -> None:
    """Write a job file; one that was edited is kept.

    Raises:
        ConfigurationError: another one is there.
        StorageError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not overwrite and file.read_bytes() != text.encode():
            raise ConfigurationError(
                f"{file} is there and says something else; OVERWRITE=1 replaces it, and FILE=... "
                "writes to another place"
            )
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise storage_error(file, error) from error
