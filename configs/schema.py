"""The configuration's schema: one frozen section per concern, each in a file of configs/sections.

Every field has a type, a default (the RND paper's setting for Montezuma's Revenge unless a preset
or a recipe says otherwise), bounds, and a help text with its unit. The alias is the key as it is
spelled in a .conf file; keys are unique over all sections, so a flat file loads too.
"""

from pydantic import BaseModel, ConfigDict, Field

from configs.sections.dynamics import DynamicsSection
from configs.sections.encoder import EncoderSection
from configs.sections.environment import EnvironmentSection, Stage
from configs.sections.evolution import EvolutionSection
from configs.sections.intrinsic import IntrinsicSection
from configs.sections.ppo import PPOSection
from configs.sections.representation import RepresentationSection
from configs.sections.run import RunSection
from configs.sections.section import Section
from configs.sections.td3 import TD3Section

__all__ = [
    "Config",
    "DynamicsSection",
    "EncoderSection",
    "EnvironmentSection",
    "EvolutionSection",
    "IntrinsicSection",
    "PPOSection",
    "RepresentationSection",
    "RunSection",
    "Section",
    "Stage",
    "TD3Section",
]


class Config(BaseModel):
    """The whole configuration of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    environment: EnvironmentSection = Field(default_factory=EnvironmentSection, alias="Environment")
    ppo: PPOSection = Field(default_factory=PPOSection, alias="PPO")
    intrinsic: IntrinsicSection = Field(default_factory=IntrinsicSection, alias="Intrinsic")
    representation: RepresentationSection = Field(
        default_factory=RepresentationSection, alias="Representation"
    )
    encoder: EncoderSection = Field(default_factory=EncoderSection, alias="Encoder")
    dynamics: DynamicsSection = Field(default_factory=DynamicsSection, alias="Dynamics")
    evolution: EvolutionSection = Field(default_factory=EvolutionSection, alias="Evolution")
    td3: TD3Section = Field(default_factory=TD3Section, alias="TD3")
    run: RunSection = Field(default_factory=RunSection, alias="Run")

    @property
    def observes_pixels(self) -> bool:
        """Whether the agent sees frames (else the environment's own vector)."""
        return self.environment.observes_pixels

    @property
    def encoder_path(self) -> str | None:
        """The folder of the encoder that the agent looks through; None without one."""
        if self.run.agent != "CMA-ES":
            return self.ppo.encoder_path
        return None if self.evolution.vision_model == "none" else self.evolution.vision_model

    @property
    def custom_model_name(self) -> str | None:
        """The file of CustomModel without .py, where that is the policy; None otherwise."""
        return self.ppo.custom_model_name if self.run.agent == "PPO" else None

    @property
    def memory_units(self) -> int:
        """The units of PolicyMemory, where there is one."""
        ppo = self.ppo
        if ppo.memory_size != "auto":
            return ppo.memory_size
        own_frames = self.observes_pixels and ppo.encoder_path is None
        return ppo.feature_size if own_frames else ppo.state_hidden_sizes[-1]

    @property
    def steps_per_update(self) -> int:
        """The env steps of each environment in an update."""
        return self.td3.steps_per_update if self.run.agent == "TD3" else self.ppo.rollout_steps

    @property
    def learns_from_features(self) -> bool:
        """Whether what is remembered holds a frozen encoder's features in the place of frames."""
        return self.representation.use == "frozen" and self.observes_pixels
