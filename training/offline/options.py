"""What the command line asks for, beside the configuration."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OfflineOptions:
    """Training on a dataset; each is a flag of main.py.

    Attributes:
        command_line: what was typed.
        model_dir: where the model and its records lie.
        dataset: a folder, or a pattern that several match.
        split: which episodes are trained on.
        environment: that the dataset must be of; None = any.
        gpu_id: the GPU to use; None = one for each rank.
        resume, overwrite: what to do with a model that is there.
        use_wandb: whether the curves are mirrored to Weights & Biases.
    """

    command_line: str
    model_dir: Path
    dataset: str
    split: str = "train"
    environment: str | None = None
    gpu_id: int | None = None
    resume: bool = False
    overwrite: bool = False
    use_wandb: bool = False


@dataclass(frozen=True)
class EncodingOptions:
    """Encoding a dataset; each is a flag of main.py.

    Attributes:
        command_line: what was typed.
        model: a model's folder, or a checkpoint in it.
        dataset: a folder, or a pattern that several match.
        out_dir: of the encoded dataset.
        out_name: begins the names of its files.
        split: which episodes; None = all.
        num_outer_shards: into how many parts the episodes are dealt.
        outer_shard_index: the one that is done; None = all of them (a rank's share under torchrun).
        num_sub_shards: files of a part.
        gpu_id: the GPU to use.
    """

    command_line: str
    model: Path
    dataset: str
    out_dir: Path
    out_name: str
    split: str | None
    num_outer_shards: int
    outer_shard_index: int | None
    num_sub_shards: int
    gpu_id: int | None = None
