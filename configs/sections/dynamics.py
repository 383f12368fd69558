"""[Dynamics]: how --train_dynamics trains."""

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_STEPS, ModelName


class DynamicsSection(Section):
    """Training a model of sequences on an encoded dataset (--train_dynamics)."""

    model: ModelName = Field(
        "mdn_rnn",
        alias="DynamicsModel",
        description="what is trained: mdn_rnn, causal_transformer",
    )
    sequence_length: int = Field(
        32,
        alias="SequenceLength",
        ge=2,
        le=MOST,
        description="steps of a window; the most that causal_transformer looks back",
    )
    sample_observations: bool = Field(
        False,
        alias="SampleObservations",
        description="draw latents anew for each batch, from the means and deviations of a vae's "
        "encoded dataset",
    )
    difference_targets: bool = Field(
        False,
        alias="DifferenceTargets",
        description="predict how much a latent changes in the place of what it is next",
    )
    train_steps: int = Field(
        5_000, alias="DynamicsTrainSteps", ge=1, le=MOST_STEPS, description="optimiser steps in all"
    )
    batch_size: int = Field(
        64,
        alias="DynamicsBatchSize",
        ge=1,
        le=MOST,
        description="windows in a step of all ranks together",
    )
    learning_rate: float = Field(
        1e-3, alias="DynamicsLearningRate", gt=0, le=1, description="Adam's step size"
    )
    max_grad_norm: float = Field(
        1.0,
        alias="DynamicsMaxGradNorm",
        ge=0,
        description="largest norm of the gradient; 0 = it is not cut",
    )
    save_every: int = Field(
        500,
        alias="DynamicsSaveEveryNSteps",
        ge=1,
        le=MOST_STEPS,
        description="steps between checkpoints",
    )
    validate_every: int = Field(
        250,
        alias="DynamicsValidateEveryNSteps",
        ge=1,
        le=MOST_STEPS,
        description="steps between two looks at held-out episodes",
    )
    validation_windows: int = Field(
        256,
        alias="DynamicsValidationWindows",
        ge=1,
        le=MOST,
        description="held-out windows that are looked at: the same each time",
    )
    patience: int = Field(
        0,
        alias="DynamicsEarlyStopPatience",
        ge=0,
        le=MOST,
        description="validations without a better one after which training ends; 0 = never",
    )
    log_every: int = Field(
        20,
        alias="DynamicsLogEveryNSteps",
        ge=1,
        le=MOST_STEPS,
        description="steps between two rows of figures",
    )
