"""What is trained on a dataset, and how: all that differs between an encoder and anything else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.encoders.objective import Objective
from configs.schema import Config
from training.live.subject import Subject
from trajectories.reader import Dataset


@dataclass(frozen=True)
class Schedule:
    """How it is trained.

    Attributes:
        train_steps: optimiser steps in all.
        batch_size: samples in a step of all ranks together.
        learning_rate: Adam's step size.
        max_grad_norm: largest norm of the gradient; None = it is not cut.
        per_episode: rows of each visit to an episode; None = all.
        save_every, validate_every, log_every: steps between two of each.
        validation_samples: held-out samples that are looked at.
        patience: validations without a better one after which training ends; 0 = never.
    """

    train_steps: int
    batch_size: int
    learning_rate: float
    max_grad_norm: float | None
    per_episode: int | None
    save_every: int
    validate_every: int
    log_every: int
    validation_samples: int
    patience: int


@dataclass(frozen=True)
class Trained:
    """A kind of model that is trained on a dataset.

    What is trained behaves as `Objective` does: it says what it needs of the data and what it is,
    takes statistics from them, and its forward pass is a loss.

    Attributes:
        kind: its name in checkpoints and messages.
        create: makes it anew for a dataset; ConfigurationError where the dataset lacks something.
        schedule: what a configuration says of it.
        fixed: keys of a recipe that must stay where training goes on.
        section: begins the names of its keys of the step size and the gradient's largest norm.
        subject: what the terminal shows of it.
        verdict: says at the end what the last figures of held-out samples mean; None = nothing.
    """

    kind: str
    create: Callable[[Config, Dataset], Objective]
    schedule: Callable[[Config], Schedule]
    fixed: tuple[str, ...]
    section: str
    subject: Subject
    verdict: Callable[[Mapping[str, float]], str] | None = None

    @property
    def remedy(self) -> str:
        """What to do about a loss that is not finite."""
        return f"lower {self.section}LearningRate, or set {self.section}MaxGradNorm"
