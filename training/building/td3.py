"""From a configuration to what TD3 is made of."""

import copy
import math

import torch
from torch import nn

from agents.encoders.backbone import EncoderBackbone, VectorEncoderBackbone
from agents.encoders.encoder import Encoder
from agents.encoders.transition import Transition
from agents.networks.backbones import FrameBackbone
from agents.networks.deterministic_actor import DeterministicActor
from agents.networks.scaling import BoundScaling, NoScaling
from agents.networks.twin_critic import TwinCritic
from agents.replay.frame_replay import FrameReplay
from agents.replay.replay import Replay
from agents.replay.vector_replay import VectorReplay
from agents.steps.adam import FusedAdam
from agents.td3.foresight import Foresight
from agents.td3.td3_agent import TD3Agent, TD3Settings
from agents.td3.td3_learner import Critic, TD3Learner
from configs.errors import ConfigurationError
from configs.schema import Config
from training.building.encoders import encoder_parameters, fresh_encoder
from training.building.seeding import make_generator
from training.building.stacking import stack_size
from training.checkpoints.policy_transition import check_transition
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import reach_of

ADAM_EPSILON = 1e-8  # torch's own, as in the paper's code


def build_td3_learner(
    config: Config,
    spec: EnvironmentSpec,
    encoder: Encoder | None = None,
    transition: Transition | None = None,
) -> TD3Learner:
    """Build actor, critics and their slow copies on the CPU, from the global generator.

    Args:
        config: the run's configuration.
        spec: the environment.
        encoder: that of Backbone = encoder:PATH; None without one.
        transition: that of TransitionModel; None without one.

    Raises:
        ConfigurationError: the environment's actions are choices, or a model is of others.
    """
    check_continuous(spec)
    section = config.td3
    frozen = encoder.requires_grad_(False) if encoder and config.learns_from_features else None
    backbone, size = _backbone(config, spec, encoder)
    foresight = _foresight(config, spec, encoder, transition)
    seen = size + spec.num_actions + (0 if foresight is None else foresight.size)
    twin = TwinCritic(seen, section.critic_hidden_sizes)
    actor = DeterministicActor(size, section.actor_hidden_sizes, spec.num_actions)
    autocast = torch.bfloat16 if config.run.precision == "bfloat16" else None
    return TD3Learner(Critic(backbone, twin, foresight), actor, autocast, frozen)


def check_continuous(spec: EnvironmentSpec) -> None:
    """Refuse choices: the actor gives numbers.

    Raises:
        ConfigurationError: the environment's actions are choices.
    """
    if spec.discrete:
        raise ConfigurationError(
            f"Agent = TD3 with EnvID = {spec.env_id}: its actions are {spec.num_actions} choices, "
            "and TD3's are numbers; choose an environment of continuous actions (Pendulum-v1, "
            "LunarLanderContinuous-v3), or Agent = PPO"
        )


def build_td3_agent(
    config: Config, learner: TD3Learner, rank: int, steps_before: int, device: torch.device
) -> TD3Agent:
    """Give a learner, on its device, its optimisers and this rank's random streams.

    Args:
        config: the run's configuration.
        learner: on `device`, with the weights it starts from.
        rank: the number of this agent process.
        steps_before: env steps of the checkpoint that is continued.
        device: where it computes.
    """
    section, seed = config.td3, config.run.seed
    since = f"from env step {steps_before}"
    acting = make_generator(seed, f"acting {since}", rank, device)
    sampling = make_generator(seed, f"replay {since}", rank, torch.device("cpu"))
    settings = TD3Settings(
        gamma=section.gamma,
        target_tau=section.target_tau,
        exploration_noise=section.exploration_noise,
        target_noise=section.target_noise,
        target_noise_clip=section.target_noise_clip,
        policy_delay=section.policy_delay,
        batch_size=section.batch_size,
    )
    return TD3Agent(
        learner,
        _critic_optimizer(config, learner.critic),
        FusedAdam(
            [{"params": list(learner.actor.parameters()), "lr": section.actor_learning_rate}],
            eps=ADAM_EPSILON,
        ),
        settings,
        acting,
        sampling,
    )


def build_replay(
    config: Config, spec: EnvironmentSpec, num_envs: int, encoder: Encoder | None
) -> Replay:
    """Make the empty replay buffer of a rank; it lies in the machine's main memory.

    Args:
        config: the run's configuration.
        spec: the environment.
        num_envs: environments of this rank.
        encoder: frozen; its features are remembered. None: what the environment shows is.
    """
    capacity, cpu = config.td3.replay_size, torch.device("cpu")
    if encoder is None and spec.observation_dtype == "uint8":
        shape, size = spec.observation_shape, stack_size(config, spec)
        return FrameReplay(capacity, num_envs, shape, size, spec.num_actions, cpu)
    size = _vector_size(config, spec, encoder)
    return VectorReplay(capacity, size, spec.num_actions, cpu)


def replay_bytes(config: Config, spec: EnvironmentSpec, encoder: Encoder | None) -> int:
    """Return the bytes of a rank's replay buffer when it is full."""
    if encoder is None and spec.observation_dtype == "uint8":
        step = math.prod(spec.observation_shape) + 4 * spec.num_actions
    else:
        step = 4 * (2 * _vector_size(config, spec, encoder) + spec.num_actions + 2)
    return config.td3.replay_size * step


def _vector_size(config: Config, spec: EnvironmentSpec, encoder: Encoder | None) -> int:
    """Return the numbers of an observation: of the state, or of a frozen encoder's stack."""
    if encoder is None:
        return spec.observation_shape[0]
    return stack_size(config, spec) * encoder.feature_size


def _backbone(
    config: Config, spec: EnvironmentSpec, encoder: Encoder | None
) -> tuple[nn.Module, int]:
    """Return what turns observations into features, and how many these are."""
    frames = stack_size(config, spec)
    if encoder is not None and config.learns_from_features:
        return NoScaling(), frames * encoder.feature_size
    if encoder is not None and len(spec.observation_shape) == 1:
        return _state_backbone(config, spec, encoder)
    if encoder is not None:
        scratch = config.representation.use == "scratch"
        module = fresh_encoder(encoder) if scratch else copy.deepcopy(encoder)
        trained = EncoderBackbone(module.requires_grad_(True), frames)
        return trained, trained.feature_size
    if len(spec.observation_shape) == 1:
        scaled = config.ppo.observation_scaling == "bounds"
        low, high = spec.observation_low, spec.observation_high
        return BoundScaling(low, high) if scaled else NoScaling(), spec.observation_shape[0]
    channels, height, width = spec.observation_shape
    own = FrameBackbone(
        channels * frames,
        height,
        width,
        conv_channels=config.ppo.conv_channels,
        third_kernel=config.ppo.third_kernel,
        hidden_size=config.ppo.hidden_size,
        feature_size=config.ppo.feature_size,
    )
    return own, own.feature_size


def _state_backbone(
    config: Config, spec: EnvironmentSpec, encoder: Encoder
) -> tuple[nn.Module, int]:
    """Return an encoder of state vectors as the backbone, trained or at rest; and D."""
    use, size = config.representation.use, spec.observation_shape[0]
    if encoder.preprocessing.shape != (size,):
        raise ConfigurationError(
            f"Backbone = {config.ppo.backbone}: the encoder sees "
            f"{encoder.preprocessing.shape[0]} numbers, and {spec.env_id} shows {size}; train one "
            "on rollouts of this environment"
        )
    module = fresh_encoder(encoder) if use == "scratch" else copy.deepcopy(encoder)
    backbone = VectorEncoderBackbone(module.requires_grad_(use != "frozen"))
    return backbone, backbone.feature_size


def _foresight(
    config: Config, spec: EnvironmentSpec, encoder: Encoder | None, transition: Transition | None
) -> Foresight | None:
    """Return what the critics foresee, if anything, trained further or at rest."""
    if transition is None:
        return None
    size = _vector_size(config, spec, encoder if config.learns_from_features else None)
    check_transition(transition, spec, size, config.td3.transition_model)
    model = copy.deepcopy(transition).requires_grad_(False)
    if config.td3.transition_use == "finetune":
        model.transition.requires_grad_(True)
    return Foresight(model.eval(), *reach_of(spec))


def _critic_optimizer(config: Config, critic: Critic) -> FusedAdam:
    """Build Adam, with a step size of its own for an encoder that was trained before."""
    rate, use = config.td3.critic_learning_rate, config.representation.use
    slow = encoder_parameters(critic) if use == "finetune" else []
    apart = set(slow)
    common = [p for p in critic.parameters() if p.requires_grad and p not in apart]
    groups = [{"params": common, "lr": rate}]
    if slow:
        share = config.representation.encoder_learning_rate_factor
        groups.append({"params": slow, "lr": share * rate})
    return FusedAdam(groups, eps=ADAM_EPSILON)
