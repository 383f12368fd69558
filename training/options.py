"""What the command line asks for, beside the configuration."""

from dataclasses import dataclass
from pathlib import Path

USUAL_EPISODES = 20  # that are played unless told otherwise


@dataclass(frozen=True)
class RunOptions:
    """One run's options; each is a flag of main.py (see `main.py -h`).

    `log_name_given` says whether the name was typed or follows from the recipe's path; `logs` is
    where runs leave their folders; `in_place` is False where a debugger has the terminal;
    `first_words` stand above the start table, once nothing is refused any more.
    """

    command_line: str
    log_name: str
    save_model_path: Path
    log_name_given: bool = True
    load_model_path: Path | None = None
    num_workers: int | None = None
    gpu_id: int | None = None
    resume: bool = False
    overwrite: bool = False
    profile_updates: int | None = None
    pytorch_profiling: bool = False
    use_wandb: bool = False
    episodes: int = USUAL_EPISODES
    greedy: bool = False
    baselines: bool = False
    video: bool = False
    save_rollouts: bool = False
    save_info: bool = False
    out: Path | None = None
    logs: Path = Path("logs")
    in_place: bool = True
    first_words: str = ""
