"""What the command line asks for, beside the configuration."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProbeOptions:
    """Probing; each is a flag of main.py.

    Attributes:
        command_line: what was typed.
        models: folders of models, or checkpoints in them.
        dataset: a folder, or a pattern that several match.
        split: which episodes are judged.
        out: the page; None = into the first model's folder.
        supervised_steps: optimiser steps of the supervised baseline.
        gpu_id: the GPU to use.
    """

    command_line: str
    models: tuple[Path, ...]
    dataset: str
    split: str = "validation"
    out: Path | None = None
    supervised_steps: int = 300
    gpu_id: int | None = None


@dataclass(frozen=True)
class PlayOptions:
    """Playing beside a dream; each is a flag of main.py.

    Attributes:
        vision_model: the folder of an encoder that draws, or a checkpoint in it.
        memory_model: of the model of sequences that learnt its latents.
        environment: that the models must be of; None = any.
        policy: "random", "brownian", module:Class, or a checkpoint; None = as the dataset's.
        restart_every: steps after which the dream begins anew at what is real.
        out: the film; None = into the folder of the model of sequences.
        gpu_id: the GPU to use for a policy.
    """

    vision_model: Path
    memory_model: Path
    environment: str | None = None
    policy: str | None = None
    restart_every: int = 50
    out: Path | None = None
    gpu_id: int | None = None


@dataclass(frozen=True)
class FreshOptions:
    """Drawing fresh play; each is a flag of main.py.

    Attributes:
        model: a model's folder, or a checkpoint in it.
        environment: that the model must be of; None = any.
        policy: "random" or "brownian"; None = that of the model's dataset, or random.
        episodes: how many are played.
        out: the film; None = into the model's folder.
        gpu_id: the GPU to use.
    """

    model: Path
    environment: str | None = None
    policy: str | None = None
    episodes: int = 5
    out: Path | None = None
    gpu_id: int | None = None
