"""What is known of a run from its first moment, so that its end can be told whatever happens."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from training.folders.run_folder import RunFolder
from training.ranks.distributed import Place


@dataclass
class Clock:
    """Updates done, and env steps of all ranks (frames = env steps x frame skip).

    Those of random play before the first update are apart: they are not learnt from.
    """

    updates: int = 0
    env_steps: int = 0
    random_steps: int = 0

    @property
    def in_words(self) -> str:
        """How far the run is."""
        return f"{self.env_steps:,} env steps"


@dataclass
class Session:
    """This process's part in a run.

    Attributes:
        place, device: this process among all, and what it computes on.
        folder: the run's folder, once its name is settled.
        clock: how far the run is.
        last_checkpoint: what was saved last.
        source: the checkpoint that the run continues from, if there is one.
        is_resumed: whether that is the run's own.
    """

    place: Place
    device: torch.device
    folder: RunFolder | None = None
    clock: Clock = field(default_factory=Clock)
    last_checkpoint: Path | None = None
    source: Path | None = None
    is_resumed: bool = False

    def remember_checkpoint(self, path: Path) -> None:
        """Note what was saved last, also in the run's folder, should the process be killed."""
        self.last_checkpoint = path
        self.write_status(None, "under way")

    def write_status(self, code: int | None, reason: str) -> None:
        """Leave the run's last word in its folder, if it has one."""
        if self.folder is not None:
            self.folder.write_status(
                code,
                reason,
                rank=self.place.rank,
                update=self.clock.updates,
                env_steps=self.clock.env_steps,
                random_steps=self.clock.random_steps,
                checkpoint=self.last_checkpoint,
            )
