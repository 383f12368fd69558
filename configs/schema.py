"""The configuration's schema: one frozen section per concern.

Every field has a type, a default (the RND paper's setting for Montezuma's Revenge unless a preset
or a recipe says otherwise), bounds, and a help text with its unit. The alias is the key as it is
spelled in a .conf file; keys are unique over all sections, so a flat file loads too.
"""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

Auto = Literal["auto"]


def _split_numbers(value: Any) -> Any:
    """Turn "32, 64, 64" or "[32, 64]" into a tuple of its parts; leave anything else alone."""
    if isinstance(value, str):
        bare = value.strip().removeprefix("[").removesuffix("]")
        return tuple(part.strip() for part in bare.split(",") if part.strip())
    return value


def _split_words(value: Any) -> Any:
    """Turn "1-1, 1-2", or a list as Python writes it, into a tuple of its parts."""
    if isinstance(value, str):
        return tuple(part.strip("'\"") for part in _split_numbers(value)) or (value,)
    return value


def _choices(annotation: Any) -> tuple[str | int, ...]:
    """Return the literals that a field's type allows, those inside a union included."""
    parts = get_args(annotation)
    own = tuple(part for part in parts if isinstance(part, (str, int)))
    return own + tuple(choice for part in parts for choice in _choices(part))


# Beyond these a number is a slip of the hand, or would not fit where it is handed on to.
MOST = 1_000_000  # of what is counted or sized
MOST_STEPS = 10**12
MOST_SECONDS = 1_000_000
MOST_THREADS = 1024

PositiveInt = Annotated[int, Field(ge=1, le=MOST)]
IntTuple = Annotated[tuple[PositiveInt, ...], BeforeValidator(_split_numbers)]

# fmt: off
Stage = Literal[
    "1-1", "1-2", "1-3", "1-4", "2-1", "2-2", "2-3", "2-4", "3-1", "3-2", "3-3", "3-4",
    "4-1", "4-2", "4-3", "4-4", "5-1", "5-2", "5-3", "5-4", "6-1", "6-2", "6-3", "6-4",
    "7-1", "7-2", "7-3", "7-4", "8-1", "8-2", "8-3", "8-4",
]
# fmt: on
Stages = Annotated[tuple[Stage, ...], BeforeValidator(_split_words)]


def _one_json_object(value: Any) -> Any:
    """Return a JSON object in one spelling; refuse any other text."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise PydanticCustomError("json_object", "no JSON object")
    # What stands behind these signs would be a comment in a .conf file.
    return json.dumps(found, sort_keys=True).replace("#", "\\u0023").replace(";", "\\u003b")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


JsonObject = Annotated[str, BeforeValidator(_one_json_object)]


class Section(BaseModel):
    """A group of keys: immutable, strict about unknown names, filled by alias or by field name.

    A choice may be written in any case ("rnd" is RND); numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _match_choice(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str) or info.field_name is None:
            return value
        choices = _choices(cls.model_fields[info.field_name].annotation)
        spelled = {str(choice).casefold(): choice for choice in choices}
        return spelled.get(value.strip().casefold(), value)


GAMES = ("atari", "mario")  # the families that are emulated
ALWAYS_SEEN = (*GAMES, "minigrid")  # as frames
OF_GAMES = {"max_episode_steps": 4500, "learning_reward": "sign"}  # 18,000 frames; RND's clipping


class EnvironmentSection(Section):
    """What is simulated, and how its frames and rewards reach the agent."""

    env_type: Literal[
        "atari",
        "mario",
        "classic_control",
        "box2d",
        "mujoco",
        "sprites",
        "minigrid",
        "gymnasium",
        "dream",
    ] = Field(
        "atari",
        alias="EnvType",
        description="simulator family; dream = the model of sequences that --train_dynamics left "
        "in the folder EnvID",
    )
    env_id: str = Field(
        "MontezumaRevengeNoFrameskip-v4",
        alias="EnvID",
        pattern=r"^[\w./:-]+$",
        description="environment id, for instance PongNoFrameskip-v4, ALE/Pong-v5, "
        "SuperMarioBros-v0, CartPole-v1, or module:id for a package of your own; a model's folder "
        "(dream)",
    )
    observation_type: Literal["auto", "pixels", "state"] = Field(
        "auto",
        alias="ObservationType",
        description="pixels = frames, state = the environment's own vector; auto = pixels for "
        "atari, mario, minigrid, CarRacing, and Sprites without State in the id, else state",
    )
    max_episode_steps: Auto | Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        "auto",
        alias="MaxStepPerEpisode",
        description="episode cap in env steps, a truncation; auto = the environment's own limit; "
        "the default for atari and mario is 4500",
    )
    sticky_actions: bool = Field(
        True,
        alias="StickyAction",
        description="repeat the last action with ActionProb, drawn per emulator frame (atari)",
    )
    sticky_probability: float = Field(
        0.25, alias="ActionProb", ge=0, lt=1, description="probability of a repeated action"
    )
    frame_skip: int = Field(
        4, alias="FrameSkip", ge=1, le=60, description="emulator frames per env step (pixels)"
    )
    stack_size: int = Field(
        4, alias="StateStackSize", ge=1, le=16, description="frames in the policy's input (pixels)"
    )
    frame_height: int = Field(
        84, alias="PreProcHeight", ge=36, le=512, description="height of a frame in pixels"
    )
    frame_width: int = Field(
        84, alias="PreProcWidth", ge=36, le=512, description="width of a frame in pixels"
    )
    frame_colour: Literal["grey", "rgb"] = Field(
        "grey",
        alias="FrameColour",
        description="channels of a frame: 1 = grey, 3 = rgb (classic_control, box2d, mujoco, "
        "gymnasium)",
    )
    renderer: Literal["fast", "stock"] = Field(
        "fast",
        alias="Renderer",
        description="who draws CarRacing's frames: fast = Scout, in a tenth of the time and with "
        "the same physics and scores, stock = Gymnasium (box2d)",
    )
    action_repeat: int = Field(
        1,
        alias="ActionRepeat",
        ge=1,
        le=60,
        description="steps of the simulator for which an action is kept: an env step; only what "
        "the last one shows is drawn (box2d)",
    )
    action_space: Auto | Literal["continuous", "discrete"] = Field(
        "auto",
        alias="ActionSpace",
        description="which actions CarRacing and LunarLander take; auto = the id's own (box2d)",
    )
    life_done: bool = Field(
        False,
        alias="LifeDone",
        description="a lost life ends the episode for learning (atari, mario)",
    )
    learning_reward: Literal["raw", "sign", "goal"] = Field(
        "raw",
        alias="LearningReward",
        description="reward the agent learns from: raw, its sign, or goal = 1 where the episode "
        "terminates and 0 elsewhere; the default for atari and mario is sign; reports always show "
        "the raw score",
    )
    action_mapping: Auto | Literal["bounds", "clip"] = Field(
        "auto",
        alias="ActionMapping",
        description="what the policy's output -1 to 1 means as a continuous action: bounds = from "
        "the lower to the upper bound that the environment states, clip = -1 to 1 as they are, "
        "clipped to the bounds; auto = bounds, or what the checkpoint was trained with that a run "
        "continues",
    )
    dream_temperature: float = Field(
        1.0,
        alias="DreamTemperature",
        ge=0,
        le=10,
        description="1 draws what the model predicts, more makes a dream less certain, 0 takes the "
        "likeliest (dream)",
    )
    layout_seed: int = Field(
        0,
        alias="LayoutSeed",
        ge=0,
        lt=2**31,
        description="which map is built, the same one in every episode (minigrid)",
    )
    nuisance: Literal["none", "noise"] = Field(
        "none",
        alias="Nuisance",
        description="noise = the empty cells of the map are grey at random, drawn anew for every "
        "episode: nothing the agent does depends on them (minigrid)",
    )

    mario_stages: Literal["all"] | Stages = Field(
        "all",
        alias="MarioStages",
        description="stages that SuperMarioBrosRandomStages draws from, one for each game, such as "
        "1-1, 1-2 (mario)",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_for_games(cls, given: Any) -> Any:
        """Give emulated games the RND paper's defaults, which mean nothing elsewhere."""
        if not isinstance(given, dict):
            return given
        fields = {info.alias: name for name, info in cls.model_fields.items()}
        named = {fields.get(key, key): value for key, value in given.items()}
        family = str(named.get("env_type", cls.model_fields["env_type"].default))
        if family.strip().casefold() not in GAMES:
            return given
        unset = {name: value for name, value in OF_GAMES.items() if name not in named}
        return given | unset

    @property
    def observes_pixels(self) -> bool:
        """Whether the agent sees frames (else the environment's own vector)."""
        if self.observation_type != "auto":
            return self.observation_type == "pixels"
        if self.env_type == "dream":
            return False
        if self.env_type == "sprites":
            return "State" not in self.env_id
        return self.env_type in ALWAYS_SEEN or self.env_id.startswith("CarRacing")


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
    backbone: str = Field(
        "own",
        alias="Backbone",
        pattern=r"^(own|encoder:\S.*)$",
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

    custom_model: str = Field(
        "none",
        alias="CustomModel",
        pattern=r"^[A-Za-z_]\w*$",
        description="none = the policy that the keys above describe, NAME = class CustomModel of "
        "models/NAME.py in the current folder, in its place",
    )
    custom_model_config: JsonObject = Field(
        "{}",
        alias="CustomModelConfig",
        description="what CustomModel is made with beside the spaces, as JSON on one line",
        json_schema_extra={"format": "json-object"},
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


def _name_input(value: Any) -> Any:
    """Read "original" as pixels and "modified" as features, as the study of RND with BYOL does."""
    names = {"original": "pixels", "modified": "features"}
    return names.get(value.strip().casefold(), value) if isinstance(value, str) else value


class IntrinsicSection(Section):
    """The exploration bonus (RND: Burda et al. 2018, arXiv 1810.12894)."""

    kind: Literal["none", "RND", "DRND", "SND", "BYOL-Explore"] = Field(
        "RND",
        alias="IntrinsicReward",
        description="the bonus; none = plain PPO, DRND = several random targets, SND = a target "
        "trained by self-supervision, BYOL-Explore = the error of a latent world model",
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
        512, alias="RNDFeatureDim", ge=1, le=MOST, description="outputs of target and predictor"
    )
    hidden_size: int = Field(
        512,
        alias="RNDHiddenSize",
        ge=1,
        le=MOST,
        description="width of the predictor's two extra layers (pixels)",
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
        description="layers of target and predictor (state observations or features)",
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


class EncoderSection(Section):
    """Training an encoder on rollouts that lie on disk (--train_encoder)."""

    model: str = Field(
        "vae",
        alias="Model",
        pattern=r"^[A-Za-z][\w.-]*$",
        description="what is trained: vae (or vae.Vae), conv_autoencoder, simclr, byol, "
        "barlow_twins, temporal_barlow, reward_induced, state_decoder, state_autoencoder, "
        "transition, frame_decoder",
    )
    finished_encoder: str = Field(
        "none",
        alias="FinishedEncoder",
        pattern=r"\S",
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


class DynamicsSection(Section):
    """Training a model of sequences on an encoded dataset (--train_dynamics)."""

    model: str = Field(
        "mdn_rnn",
        alias="DynamicsModel",
        pattern=r"^[A-Za-z][\w.-]*$",
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
    vision_model: str = Field(
        "none",
        alias="VisionModel",
        pattern=r"\S",
        description="folder of the encoder that --train_encoder left (pixels); none = the "
        "environment's own vector. A checkpoint keeps the encoder",
    )
    memory_model: str = Field(
        "none",
        alias="MemoryModel",
        pattern=r"\S",
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


class TD3Section(Section):
    """A deterministic policy from a replay buffer (Fujimoto et al. 2018, arXiv 1802.09477)."""

    actor_hidden_sizes: IntTuple = Field(
        (400, 300), alias="ActorHiddenSizes", min_length=1, description="layers of the actor"
    )
    critic_hidden_sizes: IntTuple = Field(
        (400, 300),
        alias="CriticHiddenSizes",
        min_length=1,
        description="layers of each of the two critics",
    )
    actor_learning_rate: float = Field(
        1e-3, alias="ActorLearningRate", gt=0, le=1, description="Adam's step size of the actor"
    )
    critic_learning_rate: float = Field(
        1e-3, alias="CriticLearningRate", gt=0, le=1, description="Adam's step size of the critics"
    )
    gamma: float = Field(0.99, alias="TD3Gamma", ge=0, le=1, description="discount")
    target_tau: float = Field(
        0.005,
        alias="TargetTau",
        gt=0,
        le=1,
        description="share by which the slow copies near the networks, whenever the actor is "
        "trained (1 - polyak)",
    )
    exploration_noise: float = Field(
        0.1,
        alias="ExplorationNoise",
        ge=0,
        le=10,
        description="deviation of the noise on actions that are played; actions reach from -1 to 1",
    )
    target_noise: float = Field(
        0.2,
        alias="TargetNoise",
        ge=0,
        le=10,
        description="deviation of the noise on the slow actor's actions, which smooths the target",
    )
    target_noise_clip: float = Field(
        0.5, alias="TargetNoiseClip", ge=0, le=10, description="that noise is cut at plus and minus"
    )
    policy_delay: int = Field(
        2,
        alias="PolicyDelay",
        ge=1,
        le=MOST,
        description="gradient steps of the critics for one of the actor and of the slow copies",
    )
    random_steps: int = Field(
        10_000,
        alias="RandomSteps",
        ge=0,
        le=MOST_STEPS,
        description="env steps of all ranks that are played at random before anything is learnt",
    )
    replay_size: int = Field(
        1_000_000,
        alias="ReplaySize",
        ge=1,
        le=10**9,
        description="env steps that each rank remembers; the oldest are forgotten",
    )
    batch_size: int = Field(
        256,
        alias="ReplayBatchSize",
        ge=1,
        le=MOST,
        description="env steps drawn for a gradient step, on each rank",
    )
    gradient_steps: float = Field(
        1.0,
        alias="GradientSteps",
        gt=0,
        le=100,
        description="gradient steps of the critics for each env step of a rank; 0.5 = one for two",
    )
    steps_per_update: int = Field(
        50,
        alias="StepsPerUpdate",
        ge=1,
        le=MOST,
        description="env steps of each environment in an update, after which a run may be saved or "
        "stopped and figures be written; it changes nothing that is learnt",
    )
    transition_model: str = Field(
        "none",
        alias="TransitionModel",
        pattern=r"^(none|\S.*)$",
        description="what the critics see beside observation and action: none, or what follows, as "
        "the model foretells it that --train_encoder --model transition left in this folder",
    )
    transition_use: Literal["frozen", "finetune"] = Field(
        "frozen",
        alias="TransitionUse",
        description="whether the critics' loss trains that model further (finetune)",
    )

    @property
    def transition_path(self) -> str | None:
        """The folder of TransitionModel; None without one."""
        return None if self.transition_model == "none" else self.transition_model


class RunSection(Section):
    """What learns, how long, how often, how fast, and when to give up."""

    agent: Literal["PPO", "CMA-ES", "TD3"] = Field(
        "PPO",
        alias="Agent",
        description="what learns: PPO = a policy by gradients, with any bonus and any head; "
        "CMA-ES = a small controller by evolution; TD3 = a deterministic policy from a replay "
        "buffer",
    )
    total_env_steps: int = Field(
        491_520_000,
        alias="TotalEnvSteps",
        ge=1,
        le=MOST_STEPS,
        description="env steps of all ranks until the run ends (frames = env steps x FrameSkip); "
        "the update that reaches them is finished",
    )
    num_envs: int = Field(
        32,
        alias="NumEnv",
        ge=1,
        le=MOST,
        description="environments of each agent process; --num_env_per_process wins over it",
    )
    seed: int = Field(
        1, alias="Seed", ge=0, lt=2**31, description="the run's seed; every stream derives from it"
    )
    load_model: bool = Field(
        False, alias="loadModel", description="continue from --load_model_path"
    )
    checkpoint_every: int = Field(
        100,
        alias="saveCkptEvery",
        ge=1,
        le=MOST_STEPS,
        description="updates between two checkpoints",
    )
    log_every: Auto | Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        1,
        alias="LogEvery",
        description="updates between two log rows; auto: about 2,048 env steps, where updates are "
        "shorter",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        alias="Precision",
        description="arithmetic of the networks; weights and statistics stay float32 or wider; "
        "auto = bfloat16 for pixels on hardware that multiplies it, on the CPU with one thread "
        "(LearnerThreads = 1, or auto and at most 2 cores a rank), else float32",
    )
    environment_groups: Auto | Annotated[int, Field(ge=1, le=2)] = Field(
        "auto",
        alias="EnvironmentGroups",
        description="2 = act on one half while the other half steps; auto = 2 with a GPU, else 1",
    )
    overlap_collection: bool = Field(
        False,
        alias="OverlapCollection",
        description="collect the next rollout while the agent learns from this one, with a policy "
        "that is one update old; a stop then waits for the end of the update, and a checkpoint "
        "holds a rollout",
    )
    worker_backend: Literal["auto", "processes", "in_process", "ale_vector"] = Field(
        "auto",
        alias="WorkerBackend",
        description="what steps the environments; the results are the same: processes = worker "
        "processes, watched and replaced, always with --num_workers; in_process = the rank itself, "
        "which ends with an environment that fails; auto = in_process for classic_control, "
        "sprites and minigrid where a step takes up to 100 microseconds, else processes; "
        "ale_vector = threads of ale-py within the rank, without rooms, exact resumption or "
        "replacement (atari; evaluation then uses processes)",
    )
    learner_threads: Auto | Annotated[int, Field(ge=1, le=MOST_THREADS)] = Field(
        "auto",
        alias="LearnerThreads",
        description="torch threads of a rank on the CPU; auto = 1 for agents on state vectors "
        "and in bfloat16, this rank's share of the cores otherwise",
    )
    max_worker_restarts: int = Field(
        100,
        alias="MaxWorkerRestarts",
        ge=0,
        le=MOST_STEPS,
        description="lost workers a rank replaces, in all",
    )
    step_timeout: float = Field(
        60.0,
        alias="WorkerStepTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds a step may take",
    )
    reset_timeout: float = Field(
        120.0,
        alias="WorkerResetTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds that building one environment, or resetting a worker's, may take",
    )
    collective_timeout: float = Field(
        240.0,
        alias="CollectiveTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds to wait for a peer in training, and for a step of a rank's own until "
        "it counts as hung; longer than WorkerStepTimeout + WorkerResetTimeout, so that a peer "
        "that replaces a hung worker is waited for",
    )
    start_timeout: float = Field(
        600.0,
        alias="StartTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds to wait for all peers at start, and until a rank's first step",
    )
    verbose_logging: bool = Field(
        False, alias="verbose_logging", description="log every episode's end and debug messages"
    )


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
    def steps_per_update(self) -> int:
        """The env steps of each environment in an update."""
        return self.td3.steps_per_update if self.run.agent == "TD3" else self.ppo.rollout_steps

    @property
    def learns_from_features(self) -> bool:
        """Whether what is remembered holds a frozen encoder's features in the place of frames."""
        return self.representation.use == "frozen" and self.observes_pixels
