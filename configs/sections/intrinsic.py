"""[Intrinsic]: the exploration bonus."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from configs.sections.section import Section
from configs.sections.values import MOST, Auto, IntTuple


def _name_input(value: Any) -> Any:
    """Read "original" as pixels and "modified" as features, as the study of RND with BYOL does."""
    names = {"original": "pixels", "modified": "features"}
    return names.get(value.strip().casefold(), value) if isinstance(value, str) else value


class IntrinsicSection(Section):
    """The exploration bonus (RND: Burda et al. 2018, arXiv 1810.12894)."""

    kind: Literal["none", "RND", "DRND", "SND", "BYOL-Explore"] = Field(
        "RND",
        alias="IntrinsicReward",
        description="the bonus (with Agent = TD3 the default is none); none = plain PPO, DRND = "
        "several random targets, SND = a target trained by self-supervision, BYOL-Explore = the "
        "error of a latent world model",
    )
    gamma: float = Field(0.99, alias="IntGamma", ge=0, le=1, description="intrinsic discount")
    coef: float = Field(1.0, alias="IntCoef", ge=0, description="weight of the intrinsic advantage")
    rnd_input: Annotated[Literal["pixels", "features"], BeforeValidator(_name_input)] = Field(
        "pixels",
        alias="RNDInput",
        description="what RND and DRND predict from: pixels (or original) = the last frame, "
        "features (or modified) = the policy's features of it",
    )
    use_slow_backbone: bool = Field(
        False,
        alias="UseEmaBackboneForRND",
        description="take the features of RNDInput = features from a slow copy of the backbone",
    )
    slow_rate: float = Field(
        0.01,
        alias="EmaTau",
        gt=0,
        le=1,
        description="share by which that slow copy nears the backbone at each optimiser step",
    )
    predictor_share: Auto | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto",
        alias="UpdateProportion",
        description="share of samples that train the predictor; "
        "auto = 32 / environments of all ranks, at most 1 (not for BYOL-Explore)",
    )
    warmup_rollouts: int = Field(
        50,
        alias="ObsNormStep",
        ge=1,
        le=MOST,
        description="rollouts of random actions that seed the observation statistics",
    )
    feature_size: int = Field(
        512,
        alias="RNDFeatureDim",
        ge=1,
        le=MOST,
        description="outputs of target and predictor, and of BYOL-Explore's encoder",
    )
    hidden_size: int = Field(
        512,
        alias="RNDHiddenSize",
        ge=1,
        le=MOST,
        description="width of the predictor's two extra layers, and of BYOL-Explore's encoder "
        "(pixels)",
    )
    conv_channels: IntTuple = Field(
        (32, 64, 64),
        alias="RNDConvChannels",
        min_length=3,
        max_length=3,
        description="channels of target and predictor, and of BYOL-Explore's encoder (pixels)",
    )
    state_hidden_sizes: IntTuple = Field(
        (64, 64),
        alias="RNDStateHiddenSizes",
        min_length=1,
        description="layers of target and predictor (state observations or features), and of "
        "BYOL-Explore's encoder (state observations)",
    )
    leaky_slope: float = Field(
        0.2,
        alias="RNDLeakySlope",
        ge=0,
        lt=1,
        description="negative slope of target and predictor: 0.2 in the paper's code, "
        "0.01 in the PyTorch ports",
    )
    predictor_learning_rate: Auto | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto",
        alias="PredictorLearningRate",
        description="Adam's step size for the bonus's networks; auto = LearningRate",
    )
    num_targets: int = Field(
        10, alias="DRNDTargets", ge=2, le=100, description="random targets of DRND"
    )
    first_moment_weight: float = Field(
        0.9,
        alias="DRNDAlpha",
        ge=0,
        le=1,
        description="DRND's weight of the distance to the targets' mean; the rest is their spread",
    )
    horizon: int = Field(
        8,
        alias="WorldModelHorizon",
        ge=1,
        le=64,
        description="env steps that BYOL-Explore predicts ahead",
    )
    belief_size: int = Field(
        256,
        alias="WorldModelSize",
        ge=1,
        le=MOST,
        description="width of BYOL-Explore's recurrent state",
    )
    target_momentum: float = Field(
        0.99,
        alias="WorldModelMomentum",
        ge=0,
        le=1,
        description="momentum of BYOL-Explore's target encoder, per optimiser step",
    )
