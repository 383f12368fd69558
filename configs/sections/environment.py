"""[Environment]: what is simulated, and how it is seen."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from configs.sections.section import Section
from configs.sections.values import MOST_STEPS, Auto, EnvironmentId, split_numbers


def _split_words(value: Any) -> Any:
    """Turn "1-1, 1-2", or a list as Python writes it, into a tuple of its parts."""
    if isinstance(value, str):
        return tuple(part.strip("'\"") for part in split_numbers(value)) or (value,)
    return value


# fmt: off
Stage = Literal[
    "1-1", "1-2", "1-3", "1-4", "2-1", "2-2", "2-3", "2-4", "3-1", "3-2", "3-3", "3-4",
    "4-1", "4-2", "4-3", "4-4", "5-1", "5-2", "5-3", "5-4", "6-1", "6-2", "6-3", "6-4",
    "7-1", "7-2", "7-3", "7-4", "8-1", "8-2", "8-3", "8-4",
]
# fmt: on
Stages = Annotated[tuple[Stage, ...], BeforeValidator(_split_words)]


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
    env_id: EnvironmentId = Field(
        "MontezumaRevengeNoFrameskip-v4",
        alias="EnvID",
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
        "terminates, for whatever reason, and 0 elsewhere: for environments that terminate at the "
        "goal alone; the default for atari and mario is sign; reports always show the raw score",
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
