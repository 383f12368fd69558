"""[Representation]: what is learnt beside the policy, or is there before it."""

from typing import Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_STEPS, IntTuple


class RepresentationSection(Section):
    """The representation head on the policy's backbone, trained beside PPO."""

    kind: Literal["None", "BYOL", "Barlow-Twins"] = Field(
        "None",
        alias="RepresentationLearningParameter",
        description="the head: BYOL (arXiv 2006.07733), Barlow-Twins (arXiv 2103.03230) or None",
    )
    coef: float = Field(
        0.01, alias="RepresentationCoef", ge=0, description="weight of the head's loss"
    )
    share: float = Field(
        1.0,
        alias="RepresentationShare",
        gt=0,
        le=1,
        description="share of each minibatch that trains the head; less costs less",
    )
    byol_hidden_size: int = Field(
        896,
        alias="BYOL_projectionHiddenSize",
        ge=1,
        le=MOST,
        description="width inside BYOL's projector and predictor",
    )
    byol_projection_size: int = Field(
        256, alias="BYOL_projectionSize", ge=1, le=MOST, description="width of BYOL's embedding"
    )
    byol_momentum: float = Field(
        0.99,
        alias="BYOL_movingAverageDecay",
        ge=0,
        le=1,
        description="momentum of BYOL's slow copies, per optimiser step",
    )
    byol_momentum_schedule: Literal["constant", "cosine"] = Field(
        "constant",
        alias="BYOL_momentumSchedule",
        description="constant, or by a cosine to 1 at TotalEnvSteps",
    )
    barlow_lambda: float = Field(
        0.0051,
        alias="BarlowTwinsLambda",
        ge=0,
        description="weight of the redundancy between features",
    )
    barlow_projection_sizes: IntTuple = Field(
        (1024, 1024, 1024),
        alias="BarlowTwinsProjectionSizes",
        min_length=1,
        description="widths of Barlow-Twins' projector",
    )
    augmentation: Literal["shift", "shift+intensity", "crop", "none"] = Field(
        "shift",
        alias="Augmentation",
        description="how a view differs from the frames: shifted a little, that and a brighter or "
        "darker picture, a crop of at least 80 % of the area, or not at all",
    )
    shift_pixels: int = Field(
        4, alias="ShiftPixels", ge=1, le=32, description="pixels of a shift at most, each way"
    )
    second_view: Literal["same", "next"] = Field(
        "same",
        alias="SecondView",
        description="what the second view shows: the same observation, or the one that followed",
    )
    project_gradient: bool = Field(
        False,
        alias="UseGradientProjection",
        description="take out of the head's gradient on the backbone what runs against PPO's",
    )
    pretraining_updates: int = Field(
        0,
        alias="SSLPretraining",
        ge=0,
        le=MOST_STEPS,
        description="gradient steps of the head and the backbone on random play, before training; "
        "ends early where the loss on held-out environments no longer falls",
    )
    freeze_backbone: bool = Field(
        False,
        alias="FreezeSharedBackbone",
        description="leave the backbone as pretraining made it, or the run of --load_model_path",
    )
    use: Literal["own", "oracle", "scratch", "frozen", "finetune", "brain_split"] = Field(
        "own",
        alias="Representation",
        description="what the policy looks at: own = observations through its own network, oracle "
        "= the same, and only states will do; with Backbone = encoder:PATH: scratch = the "
        "encoder's network from fresh weights, frozen = its features, never trained further, "
        "finetune = trained further, brain_split = trained further, a copy each for actor and "
        "critic",
    )
    encoder_learning_rate_factor: float = Field(
        0.1,
        alias="EncoderLearningRateFactor",
        gt=0,
        le=1,
        description="step size of the encoder's weights as a share of LearningRate, for finetune "
        "and brain_split",
    )
