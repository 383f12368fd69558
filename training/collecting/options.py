"""What the command line of --collect asks for, beside the configuration."""

from dataclasses import dataclass
from pathlib import Path

from training.collecting.claims import Asked


@dataclass(frozen=True)
class CollectOptions:
    """One collection's options; each is a flag of main.py (see `main.py --collect -h`)."""

    command_line: str
    out_dir: Path
    out_name: str
    asked: Asked
    policy: str = "random"
    parallelism: int | None = None
    num_workers: int | None = None
    gpu_id: int | None = None
    greedy: bool = False
    background: str | None = None
    observation_size: int | None = None
    shard_megabytes: int = 150
