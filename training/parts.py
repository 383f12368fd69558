"""What all parts of a run are made from."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.dynamics.dynamics import Dynamics
from agents.encoders.encoder import Encoder
from agents.encoders.transition import Transition
from agents.ranks import Ranks
from configs.loading import LoadedConfig
from configs.schema import Config
from training.checkpoints.kept_model import KeptModel
from training.folders.run_folder import RunFolder
from training.options import RunOptions
from training.session import Session


@dataclass(frozen=True)
class Parts:
    """What everything else is made from.

    `stop` is asked at every env step whether to stop; `encoder` is what the agent looks
    through (Backbone = encoder:PATH, VisionModel), `memory` what it remembers by (MemoryModel),
    `transition` what its critics foretell by (TransitionModel).
    """

    session: Session
    folder: RunFolder
    options: RunOptions
    loaded: LoadedConfig
    ranks: Ranks
    stop: Callable[[], bool]
    encoder: KeptModel[Encoder] | None = None
    memory: KeptModel[Dynamics] | None = None
    transition: KeptModel[Transition] | None = None

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self.loaded.config
