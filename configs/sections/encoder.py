"""[Encoder]: how --train_encoder trains."""

from typing import Annotated, Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_STEPS, FolderPath, ModelName


class EncoderSection(Section):
    """Training an encoder on rollouts that lie on disk (--train_encoder)."""

    model: ModelName = Field(
        "vae",
        alias="Model",
        description="what is trained: vae (or vae.Vae), conv_autoencoder, simclr, byol, "
        "barlow_twins, temporal_barlow, reward_induced, state_decoder, state_autoencoder, "
        "transition, frame_decoder",
    )
    finished_encoder: Literal["none"] | FolderPath = Field(
        "none",
        alias="FinishedEncoder",
        description="folder of the encoder that this one builds on and leaves as it is: "
        "frame_decoder draws frames from its features, transition foretells them; none = there is "
        "none",
    )
    representation_size: int = Field(
        32,
        alias="RepresentationSize",
        ge=1,
        le=MOST,
        description="numbers that an observation becomes",
    )
    train_steps: int = Field(
        5_000, alias="TrainSteps", ge=1, le=MOST_STEPS, description="optimiser steps in all"
    )
    batch_size: int = Field(
        256,
        alias="EncoderBatchSize",
        ge=1,
        le=MOST,
        description="observations, or windows of them, in a step of all ranks together",
    )
    learning_rate: float = Field(
        1e-3, alias="EncoderLearningRate", gt=0, le=1, description="Adam's step size"
    )
    max_grad_norm: float = Field(
        0.0,
        alias="EncoderMaxGradNorm",
        ge=0,
        description="largest norm of the gradient; 0 = it is not cut",
    )
    obs_sampled_per_rollout: Literal["all"] | Annotated[int, Field(ge=1, le=MOST)] = Field(
        "all",
        alias="ObsSampledPerRollout",
        description="observations that are drawn each time an episode is visited; all = every "
        "observation once an epoch (a model that takes windows has no use for it)",
    )
    save_every: int = Field(
        500, alias="SaveEveryNSteps", ge=1, le=MOST_STEPS, description="steps between checkpoints"
    )
    validate_every: int = Field(
        250,
        alias="ValidateEveryNSteps",
        ge=1,
        le=MOST_STEPS,
        description="steps between two looks at held-out episodes",
    )
    validation_samples: int = Field(
        512,
        alias="ValidationSamples",
        ge=1,
        le=MOST,
        description="held-out observations, or windows, that are looked at: the same each time",
    )
    patience: int = Field(
        0,
        alias="EarlyStopPatience",
        ge=0,
        le=MOST,
        description="validations without a better one after which training ends; 0 = never",
    )
    log_every: int = Field(
        20,
        alias="LogEveryNSteps",
        ge=1,
        le=MOST_STEPS,
        description="steps between two rows of figures",
    )
