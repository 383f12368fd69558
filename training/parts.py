"""What all parts of a run are made from."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.ranks import Ranks
from configs.loading import LoadedConfig
from configs.schema import Config
from training.checkpoints.agent_memory import AgentMemory
from training.checkpoints.policy_encoder import PolicyEncoder
from training.checkpoints.policy_transition import PolicyTransition
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
    encoder: PolicyEncoder | None = None
    memory: AgentMemory | None = None
    transition: PolicyTransition | None = None

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self.loaded.config
