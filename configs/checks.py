"""Checks over more than one key: what contradicts itself, and what is allowed but unwise."""

from configs.schema import Config
from configs.typed import typed

# Families whose frames may have three channels.
IN_COLOUR = ("classic_control", "box2d", "mujoco", "gymnasium")
SMALLEST_POPULATION = 8  # from which on CMA-ES learns from noisy fitnesses
# The policy's convolutions: 8 x 8 with stride 4, 4 x 4 with stride 2, then ThirdKernel.
_KERNELS_AND_STRIDES = ((8, 4), (4, 2))


def contradictions(config: Config) -> list[str]:
    """Return one message for each pair of values that cannot stand together."""
    if config.run.agent == "CMA-ES":  # which has no policy, bonus or head
        return [*_environment(config), *_evolution(config), *_run(config)]
    return [
        *_environment(config),
        *_optimisation(config),
        *_bonus(config),
        *_representation(config),
        *_encoder(config),
        *_custom_model(config),
        *_memory(config),
        *_td3(config),
        *_run(config),
    ]


def warnings(config: Config) -> list[str]:
    """Return one message for each choice that will do, but not all that the user may expect."""
    return [*_without_effect(config), *_unsafe(config)]


def _without_effect(config: Config) -> list[str]:
    intrinsic, ppo, found = config.intrinsic, config.ppo, []
    if intrinsic.use_slow_backbone and intrinsic.rnd_input != "features":
        found.append(
            f"UseEmaBackboneForRND = True with RNDInput = {intrinsic.rnd_input}: has no effect, "
            "since the bonus does not look at the policy's features; set RNDInput = features for "
            "that"
        )
    if ppo.memory == "none" and ppo.memory_size != "auto":
        found.append(
            f"MemorySize = {ppo.memory_size} with PolicyMemory = none: has no effect; set "
            "PolicyMemory to GRU or LSTM"
        )
    return found


def _unsafe(config: Config) -> list[str]:
    run = config.run
    if run.worker_backend == "ale_vector":
        return [
            f"WorkerBackend = {run.worker_backend}: no rooms are counted, a run that is continued "
            "starts new episodes, and an emulator that hangs or crashes is not replaced"
        ]
    replacing = run.step_timeout + run.reset_timeout
    if run.collective_timeout > replacing:
        return []
    return [
        f"CollectiveTimeout = {run.collective_timeout} is no longer than WorkerStepTimeout = "
        f"{run.step_timeout} + WorkerResetTimeout = {run.reset_timeout}: a rank that replaces a "
        "hung worker may be taken for lost"
    ]


def _environment(config: Config) -> list[str]:
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
    scaling = config.ppo.observation_scaling
    if scaling in ("running", "none") and config.observes_pixels:
        found.append(
            f"ObservationScaling = {scaling} with pixels: it is about states, and frames have a "
            "scale of their own; set ObservationScaling = auto"
        )
    smallest = min(environment.frame_height, environment.frame_width)
    if config.observes_pixels and _convolved(smallest, config.ppo.third_kernel) < 1:
        found.append(
            f"PreProcHeight = {environment.frame_height} and PreProcWidth = "
            f"{environment.frame_width} with ThirdKernel = {config.ppo.third_kernel}: "
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


def _optimisation(config: Config) -> list[str]:
    ppo, intrinsic, found = config.ppo, config.intrinsic, []
    samples = ppo.rollout_steps * config.run.num_envs
    if samples < ppo.num_minibatches:
        found.append(
            f"NumStep = {ppo.rollout_steps} x NumEnv = {config.run.num_envs} gives {samples} "
            f"samples, fewer than MiniBatch = {ppo.num_minibatches} minibatches"
        )
    bonus_counts = intrinsic.kind != "none" and intrinsic.coef > 0
    if ppo.extrinsic_coef == 0 and not bonus_counts:
        found.append(
            f"ExtCoef = {ppo.extrinsic_coef} with IntrinsicReward = {intrinsic.kind} and "
            f"IntCoef = {intrinsic.coef}: no reward is left to learn from"
        )
    return found


def _bonus(config: Config) -> list[str]:
    intrinsic, found = config.intrinsic, []
    if intrinsic.kind == "SND" and config.ppo.rollout_steps < 2:
        found.append(
            "IntrinsicReward = SND with NumStep = 1: its target learns from pairs of steps that "
            "follow each other; use a longer rollout"
        )
    if intrinsic.kind == "BYOL-Explore" and config.ppo.observation_scaling == "running":
        found.append(
            "ObservationScaling = running with IntrinsicReward = BYOL-Explore: its world model "
            "knows the states by their bounds alone; use another bonus, or bounds"
        )
    if intrinsic.rnd_input == "pixels":
        return found
    if intrinsic.kind not in ("RND", "DRND"):
        found.append(
            f"RNDInput = features with IntrinsicReward = {intrinsic.kind}: only RND and DRND can "
            "look at the policy's features; set RNDInput = pixels"
        )
    if not config.observes_pixels:
        found.append(
            "RNDInput = features with state observations: a policy of state vectors has no shared "
            "backbone; set RNDInput = pixels, which means the state itself there"
        )
    return found


def _representation(config: Config) -> list[str]:
    section, found = config.representation, []
    if section.kind != "None" and not config.observes_pixels:
        found.append(
            f"RepresentationLearningParameter = {section.kind} with state observations: the heads "
            "learn from views of pixels; set ObservationType = pixels, or no head"
        )
    per_minibatch = config.ppo.rollout_steps * config.run.num_envs // config.ppo.num_minibatches
    if section.kind != "None" and per_minibatch < 2:
        found.append(
            f"RepresentationLearningParameter = {section.kind} with {per_minibatch} sample in a "
            "minibatch: its statistics need at least 2; lower MiniBatch"
        )
    if section.kind == "None" and section.pretraining_updates > 0:
        found.append(
            f"SSLPretraining = {section.pretraining_updates} without a head: set "
            "RepresentationLearningParameter to BYOL or Barlow-Twins"
        )
    if section.pretraining_updates > 0 and config.run.num_envs < 2:
        found.append(
            f"SSLPretraining = {section.pretraining_updates} with NumEnv = {config.run.num_envs}: "
            "one environment is held out to see when to end; use at least 2"
        )
    made_elsewhere = section.pretraining_updates > 0 or config.run.load_model
    if section.freeze_backbone and not made_elsewhere:
        found.append(
            "FreezeSharedBackbone = True without pretraining: the backbone would stay random; set "
            "SSLPretraining to a number of updates, or loadModel = True to take the backbone of "
            f"{typed('--load_model_path')}"
        )
    return found


def _encoder(config: Config) -> list[str]:
    """Refuse a backbone and a use of it that do not go together."""
    use, backbone = config.representation.use, config.ppo.backbone
    if use == "oracle" and config.observes_pixels:
        return [
            "Representation = oracle with pixels: the oracle sees the environment's own state; set "
            "ObservationType = state, or the id of its states where it has one (SpritesState-v0)"
        ]
    if use in ("own", "oracle"):
        if backbone == "own":
            return []
        return [
            f"Backbone = {backbone} with Representation = {use}: say what becomes of the encoder; "
            "set Representation to scratch, frozen, finetune or brain_split"
        ]
    if backbone == "own":
        return [
            f"Representation = {use} without an encoder: set Backbone = encoder:PATH, where PATH "
            "is the folder that --train_encoder wrote"
        ]
    return [*_encoder_alone(config), *_bonus_of_features(config)]


def _encoder_alone(config: Config) -> list[str]:
    """Refuse what an encoder cannot be used with."""
    section, backbone, found = config.representation, config.ppo.backbone, []
    if not config.observes_pixels and config.run.agent == "PPO":
        found.append(
            f"Backbone = {backbone} with state observations: encoders see frames; set "
            "ObservationType = pixels, or Representation = oracle and Backbone = own"
        )
    if section.kind != "None":
        found.append(
            f"RepresentationLearningParameter = {section.kind} with Backbone = {backbone}: the "
            "heads train the policy's own network alone; set it to None"
        )
    if section.freeze_backbone:
        found.append(
            f"FreezeSharedBackbone = True with Backbone = {backbone}: it is about the policy's own "
            "network; set Representation = frozen"
        )
    return found


def _bonus_of_features(config: Config) -> list[str]:
    """Refuse a bonus that looks at frames where rollouts hold features."""
    intrinsic = config.intrinsic
    if not config.learns_from_features or intrinsic.kind == "none":
        return []
    if intrinsic.kind in ("RND", "DRND") and intrinsic.rnd_input == "features":
        return []
    return [
        f"IntrinsicReward = {intrinsic.kind} with RNDInput = {intrinsic.rnd_input} and "
        "Representation = frozen: rollouts hold the encoder's features there, no frames; set "
        "IntrinsicReward to none, RND or DRND, with RNDInput = features"
    ]


def _memory(config: Config) -> list[str]:
    """Refuse what a policy with a memory cannot be."""
    ppo = config.ppo
    if ppo.memory == "none" or config.run.agent != "PPO":
        return []
    if config.representation.use != "brain_split":
        return []
    return [
        f"PolicyMemory = {ppo.memory} with Representation = brain_split: actor and critics "
        "share one memory, and so one encoder; set Representation = finetune"
    ]


def _td3(config: Config) -> list[str]:
    """Refuse what TD3 has no place for."""
    if config.run.agent != "TD3":
        return []
    scaling, use = config.ppo.observation_scaling, config.representation.use
    refused = (
        ("IntrinsicReward", config.intrinsic.kind, "none", config.intrinsic.kind != "none"),
        (
            "RepresentationLearningParameter",
            config.representation.kind,
            "None",
            config.representation.kind != "None",
        ),
        ("OverlapCollection", True, "False", config.run.overlap_collection),
        ("Representation", use, "finetune", use == "brain_split"),
        ("ObservationScaling", scaling, "bounds or none", scaling == "running"),
    )
    found = [
        f"{key} = {value} with Agent = TD3: that is there for PPO alone; set {key} = {instead}"
        for key, value, instead, is_set in refused
        if is_set
    ]
    path = config.td3.transition_path
    if path and config.observes_pixels and not config.learns_from_features:
        found.append(
            f"TransitionModel = {path} with frames: it foretells state vectors, or a frozen "
            "encoder's features; set ObservationType = state, or Backbone = encoder:PATH and "
            "Representation = frozen"
        )
    if path and config.observes_pixels and config.environment.stack_size > 1:
        found.append(
            f"TransitionModel = {path} with StateStackSize = {config.environment.stack_size}: it "
            "foretells the features of one frame; set StateStackSize = 1"
        )
    if config.run.num_envs > config.td3.replay_size:
        found.append(
            f"ReplaySize = {config.td3.replay_size} with NumEnv = {config.run.num_envs}: a step of "
            "all environments does not fit; raise ReplaySize"
        )
    return found


def _run(config: Config) -> list[str]:
    run, found = config.run, []
    if run.environment_groups != "auto" and run.environment_groups > run.num_envs:
        found.append(
            f"EnvironmentGroups = {run.environment_groups} with NumEnv = {run.num_envs}: "
            "each group needs an environment"
        )
    if run.worker_backend == "ale_vector" and config.environment.env_type != "atari":
        found.append(
            f"WorkerBackend = {run.worker_backend} with EnvType = {config.environment.env_type}: "
            "ale-py steps the games of atari only; set WorkerBackend = auto"
        )
    return found


def _convolved(size: int, third_kernel: int) -> int:
    for kernel, stride in _KERNELS_AND_STRIDES:
        size = (size - kernel) // stride + 1
    return size - third_kernel + 1


def _custom_model(config: Config) -> list[str]:
    """Refuse what looks into the policy's own network, where there is another one."""
    name, section = config.ppo.custom_model_name, config.representation
    if name is None:
        if config.ppo.custom_model_config == "{}":
            return []
        return ["CustomModelConfig without CustomModel: name the model that it is for"]
    beside = [
        (f"Backbone = {config.ppo.backbone}", config.ppo.backbone != "own"),
        (f"PolicyMemory = {config.ppo.memory}", config.ppo.memory != "none"),
        (f"RepresentationLearningParameter = {section.kind}", section.kind != "None"),
        ("FreezeSharedBackbone = True", section.freeze_backbone),
        (f"RNDInput = {config.intrinsic.rnd_input}", config.intrinsic.rnd_input == "features"),
    ]
    return [
        f"CustomModel = {name} with {other}: that is about the policy's own network, in whose "
        "place the model is; leave one of them out"
        for other, is_set in beside
        if is_set
    ]


def _evolution(config: Config) -> list[str]:
    """Refuse what controllers cannot look through, and populations that learn nothing."""
    section, found = config.evolution, []
    if section.population_size < SMALLEST_POPULATION:
        found.append(
            f"PopulationSize = {section.population_size} with Agent = CMA-ES: so few learn next to "
            f"nothing from noisy fitnesses; choose {SMALLEST_POPULATION} or more"
        )
    if not config.observes_pixels and section.vision_model != "none":
        found.append(
            f"VisionModel = {section.vision_model} with state observations: encoders see frames; "
            "set ObservationType = pixels, or VisionModel = none"
        )
    if config.ppo.backbone != "own":
        found.append(
            f"Backbone = {config.ppo.backbone} with Agent = CMA-ES: it is about PPO's policy; set "
            "VisionModel"
        )
    if config.run.worker_backend == "ale_vector":
        found.append(
            "WorkerBackend = ale_vector with Agent = CMA-ES: its resets cannot be given a seed; "
            "set WorkerBackend = auto"
        )
    return found
