"""What environments of one family have and others do not, and how they are seen."""

from configs.schema import Config

# Families whose frames may have three channels.
IN_COLOUR = ("classic_control", "box2d", "mujoco", "gymnasium")
# The policy's convolutions: 8 x 8 with stride 4, 4 x 4 with stride 2, then ThirdKernel.
_KERNELS_AND_STRIDES = ((8, 4), (4, 2))


def check_environment(config: Config) -> list[str]:
    """Refuse what the family of environments does not have, and frames that nothing is left of."""
    environment, found = config.environment, []
    of_games = environment.env_type in ("atari", "mario")
    found += [*_colour(config), *_box2d(config), *_mario(config), *_dream(config)]
    if (of_games or environment.env_type == "minigrid") and not config.observes_pixels:
        found.append(
            f"ObservationType = state with EnvType = {environment.env_type}: "
            "these environments show frames only; set ObservationType = pixels"
        )
    if of_games and environment.learning_reward == "goal":
        found.append(
            f"LearningReward = goal with EnvType = {environment.env_type}: an episode of a game "
            "terminates where it is lost, which is no goal; set LearningReward = sign"
        )
    if environment.nuisance != "none" and environment.env_type != "minigrid":
        found.append(
            f"Nuisance = {environment.nuisance} with EnvType = {environment.env_type}: "
            "only the maps of minigrid have one; set Nuisance = none"
        )
    return [*found, *_frames(config)]


def _frames(config: Config) -> list[str]:
    """Refuse what cannot be said of frames, and frames that the policy's network cannot shrink."""
    if not config.observes_pixels or config.run.agent == "CMA-ES":  # which knows neither key
        return []
    environment, ppo, found = config.environment, config.ppo, []
    if ppo.observation_scaling in ("running", "none"):
        found.append(
            f"ObservationScaling = {ppo.observation_scaling} with pixels: it is about states, and "
            "frames have a scale of their own; set ObservationScaling = auto"
        )
    is_custom = config.run.agent == "PPO" and ppo.custom_model_name is not None
    smallest = min(environment.frame_height, environment.frame_width)
    convolves = ppo.backbone == "own" and not is_custom
    if convolves and _convolved(smallest, ppo.third_kernel) < 1:
        found.append(
            f"PreProcHeight = {environment.frame_height} and PreProcWidth = "
            f"{environment.frame_width} with ThirdKernel = {ppo.third_kernel}: "
            "nothing is left after the third convolution; use larger frames or ThirdKernel = 3"
        )
    return found


def _colour(config: Config) -> list[str]:
    """Refuse frames of three channels where there are none, or where a bonus looks at one."""
    environment, intrinsic = config.environment, config.intrinsic
    if environment.frame_colour == "grey" or not config.observes_pixels:
        return []
    if environment.env_type not in IN_COLOUR:
        return [
            f"FrameColour = rgb with EnvType = {environment.env_type}: its frames are grey; "
            "set FrameColour = grey"
        ]
    if config.run.agent == "CMA-ES" or intrinsic.kind in ("none", "BYOL-Explore"):
        return []
    if intrinsic.rnd_input == "features":
        return []
    return [
        f"FrameColour = rgb with IntrinsicReward = {intrinsic.kind}: this bonus looks at grey "
        "frames; set FrameColour = grey, or IntrinsicReward to none or BYOL-Explore"
    ]


def _box2d(config: Config) -> list[str]:
    """Refuse what only simulators of Box2D have."""
    environment = config.environment
    if environment.env_type == "box2d":
        return []
    return [
        f"{key} = {value} with EnvType = {environment.env_type}: only environments of box2d have "
        f"one; set {key} = {default}"
        for key, value, default in (
            ("Renderer", environment.renderer, "fast"),
            ("ActionSpace", environment.action_space, "auto"),
            ("ActionRepeat", environment.action_repeat, 1),
        )
        if value != default
    ]


def _mario(config: Config) -> list[str]:
    """Refuse stages where none are drawn, and a stage that is named twice."""
    environment = config.environment
    stages = environment.mario_stages
    if stages == "all":
        return []
    told = f"MarioStages = {', '.join(stages)}"
    if environment.env_type != "mario" or "RandomStages" not in environment.env_id:
        return [
            f"{told} with EnvType = {environment.env_type} and EnvID = {environment.env_id}: only "
            "SuperMarioBrosRandomStages-v0 of mario draws stages; set MarioStages = all"
        ]
    twice = sorted({stage for stage in stages if stages.count(stage) > 1})
    return [f"{told}: {', '.join(twice)} is named more than once"] if twice else []


def _dream(config: Config) -> list[str]:
    """Refuse what a dream does not have."""
    environment, run = config.environment, config.run
    if environment.env_type != "dream":
        if environment.dream_temperature == 1:
            return []
        return [
            f"DreamTemperature = {environment.dream_temperature} with EnvType = "
            f"{environment.env_type}: only a dream has one; set DreamTemperature = 1"
        ]
    found = []
    if config.observes_pixels:
        found.append(
            "ObservationType = pixels with EnvType = dream: what is dreamt are latents; set "
            "ObservationType = auto"
        )
    if run.worker_backend == "processes":
        found.append(
            "WorkerBackend = processes with EnvType = dream: dreams step in the rank itself; set "
            "WorkerBackend = auto"
        )
    return found


def _convolved(size: int, third_kernel: int) -> int:
    for kernel, stride in _KERNELS_AND_STRIDES:
        size = (size - kernel) // stride + 1
    return size - third_kernel + 1
