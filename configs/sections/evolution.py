"""[Evolution]: Agent = CMA-ES."""

from typing import Annotated, Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_STEPS, Auto, FolderPath


class EvolutionSection(Section):
    """A small controller found by evolution (Agent = CMA-ES)."""

    population_size: int = Field(
        64,
        alias="PopulationSize",
        ge=1,
        le=MOST,
        description="controllers of a generation; below 8 next to nothing is learnt",
    )
    trials_per_member: int = Field(
        4,
        alias="TrialsPerMember",
        ge=1,
        le=MOST,
        description="episodes that each controller plays; all of a generation play the same ones",
    )
    generations: int = Field(
        100,
        alias="Generations",
        ge=1,
        le=MOST_STEPS,
        description="generations until the run ends, unless TotalEnvSteps come first",
    )
    rollout_max_steps: Auto | Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        "auto",
        alias="RolloutMaxSteps",
        description="env steps after which an episode of training is cut; auto = MaxStepPerEpisode",
    )
    initial_deviation: float = Field(
        0.1,
        alias="InitialDeviation",
        gt=0,
        description="deviation of each parameter in the first population, around 0",
    )
    hidden_units: int = Field(
        0,
        alias="ControllerHiddenSize",
        ge=0,
        le=MOST,
        description="units of the controller's hidden layer; 0 = it is linear",
    )
    inputs: Literal["latent", "latent_and_change"] = Field(
        "latent",
        alias="ControllerInputs",
        description="what a controller sees: latent = the encoder's features, or the environment's "
        "own vector; latent_and_change = also how they changed since the step before. What "
        "MemoryModel remembers comes beside",
    )
    vision_model: Literal["none"] | FolderPath = Field(
        "none",
        alias="VisionModel",
        description="folder of the encoder that --train_encoder left (pixels); none = the "
        "environment's own vector. A checkpoint keeps the encoder",
    )
    memory_model: Literal["none"] | FolderPath = Field(
        "none",
        alias="MemoryModel",
        description="folder of the model of sequences whose memory the controller sees; none = no "
        "memory. A checkpoint keeps the model",
    )
    evaluate_every: int = Field(
        10,
        alias="EvaluateEvery",
        ge=0,
        le=MOST_STEPS,
        description="generations between two evaluations of the mean controller; 0 = never",
    )
    evaluation_trials: int = Field(
        16,
        alias="EvaluationTrials",
        ge=1,
        le=MOST,
        description="episodes of such an evaluation: the same each time, and never trained on",
    )
