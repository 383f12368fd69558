"""From a configuration to a learner and its optimiser."""

import torch
from torch import nn

from agents.encoders.encoder import Encoder
from agents.networks.actor_critic import FrameActorCritic, VectorActorCritic
from agents.networks.scaling import NoScaling
from agents.ppo.learner import Learner, LossWeights
from agents.ppo.ppo_agent import LearningSettings
from agents.ppo.targets import Discounting
from agents.rollout import RolloutShape
from agents.steps.adam import FusedAdam
from configs.schema import Config
from training.building.backbones import frame_backbone_sizes
from training.building.bonuses import build_bonus_features, build_intrinsic
from training.building.custom_model import build_custom_policy
from training.building.encoders import build_encoded_policy, encoder_parameters
from training.building.heads import build_representation
from training.building.memory import build_recurrent_policy
from training.building.scaling import build_scaling
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec


def build_learner(
    config: Config, spec: EnvironmentSpec, num_envs: int, encoder: Encoder | None = None
) -> Learner:
    """Build policy and bonus on the CPU, in float32, from the global generator.

    Args:
        config: the run's configuration.
        spec: the environment.
        num_envs: environments of this rank.
        encoder: that of Backbone = encoder:PATH; None without one.

    """
    policy = build_policy(config, spec, encoder)
    intrinsic = build_intrinsic(config, spec, num_envs, encoder)
    weights = LossWeights(
        clip_range=config.ppo.clip_range,
        entropy=config.ppo.entropy_coef,
        value=config.ppo.value_coef,
        clip_value_loss=config.ppo.clip_value_loss,
    )
    autocast = torch.bfloat16 if config.run.precision == "bfloat16" else None
    learner = Learner(
        policy,
        intrinsic,
        build_bonus_features(config, policy),
        build_representation(config, policy),
        weights,
        autocast,
        encoder.requires_grad_(False) if encoder and config.learns_from_features else None,
    )
    if config.representation.freeze_backbone:
        policy.get_submodule("backbone").requires_grad_(False)
    return learner


def build_policy(
    config: Config, spec: EnvironmentSpec, encoder: Encoder | None = None
) -> nn.Module:
    """Build the policy with its critics; the second critic only where there is a bonus.

    On a frozen encoder it is a policy of features, which come from the rollout.
    """
    ppo = config.ppo
    intrinsic_head = config.intrinsic.kind != "none"
    if ppo.memory != "none":
        return build_recurrent_policy(config, spec, encoder)
    if encoder is not None:
        size = stack_size(config, spec)
        heads = VectorActorCritic(
            NoScaling(),
            size * encoder.feature_size,
            ppo.state_hidden_sizes,
            num_actions=spec.num_actions,
            discrete=spec.discrete,
            value_init_gain=ppo.value_init_gain,
            intrinsic_head=intrinsic_head,
        )
        if config.learns_from_features:
            return heads
        return build_encoded_policy(encoder, heads, config, size)
    if ppo.custom_model_name is not None:
        return build_custom_policy(config, spec)
    if len(spec.observation_shape) == 1:
        return VectorActorCritic(
            build_scaling(config, spec),
            spec.observation_shape[0],
            ppo.state_hidden_sizes,
            num_actions=spec.num_actions,
            discrete=spec.discrete,
            value_init_gain=ppo.value_init_gain,
            intrinsic_head=intrinsic_head,
        )
    return FrameActorCritic(
        **frame_backbone_sizes(config, spec),
        num_actions=spec.num_actions,
        discrete=spec.discrete,
        value_init_gain=ppo.value_init_gain,
        intrinsic_head=intrinsic_head,
    )


def build_optimizer(config: Config, learner: Learner) -> FusedAdam:
    """Build Adam, with step sizes of their own for a trained encoder and for the bonus."""
    rate, chosen = config.ppo.learning_rate, config.intrinsic.predictor_learning_rate
    slow = [] if config.representation.use == "scratch" else encoder_parameters(learner.policy)
    apart = set(slow)
    common = [parameter for parameter in _trained(learner.policy) if parameter not in apart]
    if learner.representation is not None:
        common += _trained(learner.representation.head)
    groups = [{"params": common, "lr": rate}]
    if slow:
        share = config.representation.encoder_learning_rate_factor
        groups.append({"params": slow, "lr": share * rate})
    if learner.intrinsic is not None:
        bonus_rate = rate if chosen == "auto" else chosen
        groups.append({"params": _trained(learner.intrinsic), "lr": bonus_rate})
    return FusedAdam(groups, eps=config.ppo.adam_epsilon)


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def learning_settings(config: Config, total_envs: int) -> LearningSettings:
    """Return the numbers of an update; `total_envs` counts the environments of all ranks."""
    ppo, intrinsic = config.ppo, config.intrinsic
    share = intrinsic.predictor_share
    return LearningSettings(
        epochs=ppo.epochs,
        num_minibatches=ppo.num_minibatches,
        discounting=Discounting(
            gamma=ppo.gamma,
            intrinsic_gamma=intrinsic.gamma,
            reward_scale=ppo.reward_scale,
            bootstrap_truncations=ppo.bootstrap_truncations,
            gae_lambda=ppo.gae_lambda if ppo.use_gae else 1.0,
            extrinsic_coef=ppo.extrinsic_coef,
            intrinsic_coef=intrinsic.coef,
        ),
        normalize_advantage=ppo.normalize_advantage,
        anneal_learning_rate=ppo.learning_rate_schedule == "linear",
        max_grad_norm=ppo.max_grad_norm if ppo.use_gradient_clipping else None,
        # Burda et al. 2018, table 5: the share falls as environments are added, so that the
        # predictor learns at the pace of 32 environments.
        predictor_share=min(1.0, 32 / total_envs) if share == "auto" else share,
    )


def rollout_shape(
    config: Config, spec: EnvironmentSpec, num_envs: int, encoder: Encoder | None = None
) -> RolloutShape:
    """Return the sizes of this rank's rollouts; a frozen encoder's features are kept for frames.

    What a policy remembers it says itself (see Learner.new_rollout).

    Args:
        config: the run's configuration.
        spec: the environment.
        num_envs: environments of this rank.
        encoder: the learner's; None where rollouts hold what the environment shows.
    """
    is_frames = encoder is None and spec.observation_dtype == "uint8"
    return RolloutShape(
        rollout_steps=config.ppo.rollout_steps,
        num_envs=num_envs,
        stack_size=stack_size(config, spec),
        observation_shape=spec.observation_shape if encoder is None else (encoder.feature_size,),
        observation_dtype=torch.uint8 if is_frames else torch.float32,
        action_shape=() if spec.discrete else (spec.num_actions,),
    )
