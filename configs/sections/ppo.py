"""[PPO]: the policy, and how it is optimised."""

from typing import Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import (
    MOST,
    Auto,
    EncoderPlace,
    IntTuple,
    JsonObject,
    ModuleName,
    PositiveInt,
)


class PPOSection(Section):
    """The policy's optimisation (Schulman et al. 2017, arXiv 1707.06347)."""

    preset: Literal["paper", "jcwleo", "cleanrl"] = Field(
        "paper",
        alias="Preset",
        description="defaults of the details in which the RND paper and two well-known PyTorch "
        "ports differ; keys set in the file win over it",
    )
    rollout_steps: int = Field(
        128, alias="NumStep", ge=1, le=MOST, description="env steps per environment and rollout (T)"
    )
    epochs: int = Field(4, alias="Epoch", ge=1, le=MOST, description="passes over a rollout")
    num_minibatches: int = Field(
        4,
        alias="MiniBatch",
        ge=1,
        le=MOST,
        description="minibatches per epoch (a count, not a size)",
    )
    learning_rate: float = Field(
        1e-4, alias="LearningRate", gt=0, le=1, description="Adam's step size"
    )
    learning_rate_schedule: Literal["constant", "linear"] = Field(
        "constant",
        alias="LearningRateSchedule",
        description="constant, or linear to 0 at TotalEnvSteps",
    )
    adam_epsilon: float = Field(1e-8, alias="AdamEps", gt=0, description="Adam's epsilon")
    clip_range: float = Field(
        0.1, alias="PPOEps", gt=0, le=1, description="clip range of the probability ratio"
    )
    clip_value_loss: bool = Field(
        False, alias="ClipValueLoss", description="clip the extrinsic value's change by PPOEps"
    )
    entropy_coef: float = Field(
        0.001, alias="Entropy", ge=0, description="weight of the entropy bonus"
    )
    value_coef: float = Field(
        0.5, alias="ValueCoef", ge=0, description="weight of each value head's squared error"
    )
    use_gae: bool = Field(
        True,
        alias="UseGAE",
        description="generalised advantage estimation; False = discounted returns (lambda 1)",
    )
    gae_lambda: float = Field(
        0.95, alias="GAELambda", ge=0, le=1, description="lambda of the advantage estimate"
    )
    gamma: float = Field(0.999, alias="Gamma", ge=0, le=1, description="extrinsic discount")
    bootstrap_truncations: bool = Field(
        True,
        alias="BootstrapTruncations",
        description="where a limit cuts an episode, the value of its last observation follows, as "
        "if it went on; False = nothing follows, as at a termination: for games whose limit is one "
        "of their rules (docs/reading_curves.md)",
    )
    reward_scale: float = Field(
        1.0,
        alias="RewardScale",
        gt=0,
        description="what LearningReward is multiplied by, so that returns are of a size that a "
        "network can tell: they are about the reward / (1 - Gamma)",
    )
    extrinsic_coef: float = Field(
        2.0, alias="ExtCoef", ge=0, description="weight of the extrinsic advantage"
    )
    normalize_advantage: bool = Field(
        False,
        alias="NormalizeAdvantage",
        description="normalise the summed advantage per minibatch, by moments over all ranks",
    )
    use_gradient_clipping: bool = Field(
        False, alias="UseGradClipping", description="clip the gradient's global norm"
    )
    max_grad_norm: float = Field(
        0.5, alias="MaxGradNorm", gt=0, description="largest gradient norm if clipped"
    )
    conv_channels: IntTuple = Field(
        (32, 64, 64),
        alias="ConvChannels",
        min_length=3,
        max_length=3,
        description="channels of the three convolutions (pixels)",
    )
    third_kernel: Literal[3, 4] = Field(
        4,
        alias="ThirdKernel",
        description="kernel of the policy's third convolution: 4 in the paper's code, "
        "3 in the PyTorch ports",
    )
    hidden_size: int = Field(
        256,
        alias="HiddenSize",
        ge=1,
        le=MOST,
        description="width of the first dense layer (pixels)",
    )
    feature_size: int = Field(
        448,
        alias="FeatureDim",
        ge=1,
        le=MOST,
        description="width of the policy's features (pixels)",
    )
    observation_scaling: Auto | Literal["bounds", "running", "none"] = Field(
        "auto",
        alias="ObservationScaling",
        description="how a state reaches the policy: bounds = laid into -3 to 3 by the bounds that "
        "the environment states, times 3 where it states none; running = by the mean and deviation "
        "of all states so far, within -5 and 5; none = as it is; auto = bounds, for TD3 none",
    )
    state_hidden_sizes: IntTuple = Field(
        (64, 64),
        alias="StateHiddenSizes",
        min_length=1,
        description="layers of the policy and value networks (state observations)",
    )
    value_init_gain: float = Field(
        0.01,
        alias="ValueInitGain",
        ge=0,
        description="gain of the value heads' start; 0 = values start at zero",
    )
    backbone: Literal["own"] | EncoderPlace = Field(
        "own",
        alias="Backbone",
        description="what turns an observation into the policy's features: own = the network that "
        "the keys above describe, encoder:PATH = the encoder that --train_encoder left in the "
        "folder PATH (pixels), with StateHiddenSizes on top of it",
    )
    memory: Literal["none", "GRU", "LSTM"] = Field(
        "none",
        alias="PolicyMemory",
        description="what the policy remembers of its episode: none, or a GRU or LSTM between "
        "backbone and heads; it learns from whole rollouts of single environments, so MiniBatch "
        "is at most NumEnv",
    )
    memory_size: Auto | PositiveInt = Field(
        "auto",
        alias="MemorySize",
        description="units of PolicyMemory; auto = the width of the policy's features, FeatureDim "
        "or the last of StateHiddenSizes",
    )

    custom_model: Literal["none"] | ModuleName = Field(
        "none",
        alias="CustomModel",
        description="none = the policy that the keys above describe, NAME = class CustomModel of "
        "models/NAME.py in the current folder, in its place",
    )
    custom_model_config: JsonObject = Field(
        "{}",
        alias="CustomModelConfig",
        description="what CustomModel is made with beside the spaces, as JSON on one line",
    )

    @property
    def custom_model_name(self) -> str | None:
        """The file of CustomModel without .py; None without one."""
        return None if self.custom_model == "none" else self.custom_model

    @property
    def encoder_path(self) -> str | None:
        """The folder of Backbone = encoder:PATH; None without an encoder."""
        kind, _, path = self.backbone.partition(":")
        return path if kind == "encoder" else None
