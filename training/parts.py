"""What all parts of a run are made from."""

from dataclasses import dataclass

from agents.ranks import Ranks
from configs.loading import LoadedConfig
from configs.schema import Config
from training.options import RunOptions
from training.run_folder import RunFolder
from training.session import Session
from training.stop_request import StopRequest


@dataclass(frozen=True)
class Parts:
    """What everything else is made from."""

    session: Session
    folder: RunFolder
    options: RunOptions
    loaded: LoadedConfig
    ranks: Ranks
    stop: StopRequest

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self.loaded.config
