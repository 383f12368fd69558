"""From a configuration to a learner: the one place that knows which kind means which class."""

import torch
from torch import nn

from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.learner import Learner, LossWeights
from agents.networks.actor_critic import FrameActorCritic, VectorActorCritic
from agents.networks.rnd import FrameEncoder, VectorEncoder
from agents.ppo_agent import LearningSettings
from agents.rollout import RolloutShape
from configs.schema import Config
from workers.environments.base import EnvironmentSpec


def build_learner(config: Config, spec: EnvironmentSpec, num_envs: int) -> Learner:
    """Build policy and bonus on the CPU, in float32, from the global generator.

    Args:
        config: the run's configuration.
        spec: the environment.
        num_envs: environments of this rank.

    """
    intrinsic = None
    if config.intrinsic.kind == "RND":
        intrinsic = build_rnd(config, spec, num_envs)
    weights = LossWeights(
        clip_range=config.ppo.clip_range,
        entropy=config.ppo.entropy_coef,
        value=config.ppo.value_coef,
        clip_value_loss=config.ppo.clip_value_loss,
    )
    autocast = torch.bfloat16 if config.run.precision == "bfloat16" else None
    return Learner(build_policy(config, spec), intrinsic, weights, autocast)


def build_policy(config: Config, spec: EnvironmentSpec) -> nn.Module:
    """Build the policy with its critics; the second critic only where there is a bonus."""
    ppo = config.ppo
    intrinsic_head = config.intrinsic.kind != "none"
    if len(spec.observation_shape) == 1:
        return VectorActorCritic(
            spec.observation_low,
            spec.observation_high,
            ppo.state_hidden_sizes,
            num_actions=spec.num_actions,
            discrete=spec.discrete,
            value_init_gain=ppo.value_init_gain,
            intrinsic_head=intrinsic_head,
        )
    channels, height, width = spec.observation_shape
    return FrameActorCritic(
        channels * stack_size(config, spec),
        height,
        width,
        conv_channels=ppo.conv_channels,
        third_kernel=ppo.third_kernel,
        hidden_size=ppo.hidden_size,
        feature_size=ppo.feature_size,
        num_actions=spec.num_actions,
        discrete=spec.discrete,
        value_init_gain=ppo.value_init_gain,
        intrinsic_head=intrinsic_head,
    )


def build_rnd(config: Config, spec: EnvironmentSpec, num_envs: int) -> RandomNetworkDistillation:
    """Build target, predictor and their statistics."""
    section = config.intrinsic
    target: nn.Module
    predictor: nn.Module
    if len(spec.observation_shape) == 1:
        target, predictor = (
            VectorEncoder(
                spec.observation_shape[0],
                section.state_hidden_sizes,
                section.feature_size,
                section.leaky_slope,
            )
            for _ in range(2)
        )
    else:
        _, height, width = spec.observation_shape
        target, predictor = (
            FrameEncoder(
                height,
                width,
                conv_channels=section.conv_channels,
                feature_size=section.feature_size,
                extra_hidden=extra_hidden,
                leaky_slope=section.leaky_slope,
            )
            for extra_hidden in ((), (section.hidden_size, section.hidden_size))
        )
    return RandomNetworkDistillation(
        target, predictor, spec.observation_shape, num_envs, section.gamma
    )


def build_optimizer(config: Config, learner: Learner) -> torch.optim.Optimizer:
    """Build Adam, with a step size of its own for the predictor where the recipe gives one."""
    predictor: list[nn.Parameter] = []
    if learner.intrinsic is not None:
        predictor = list(learner.intrinsic.predictor.parameters())
    chosen = config.intrinsic.predictor_learning_rate
    predictor_rate = config.ppo.learning_rate if chosen == "auto" else chosen
    groups = [{"params": list(learner.policy.parameters()), "lr": config.ppo.learning_rate}]
    if predictor:
        groups.append({"params": predictor, "lr": predictor_rate})
    return torch.optim.Adam(groups, eps=config.ppo.adam_epsilon, fused=True)


def learning_settings(config: Config, total_envs: int) -> LearningSettings:
    """Return the numbers of an update; `total_envs` counts the environments of all ranks."""
    ppo, intrinsic = config.ppo, config.intrinsic
    share = intrinsic.predictor_share
    return LearningSettings(
        epochs=ppo.epochs,
        num_minibatches=ppo.num_minibatches,
        gamma=ppo.gamma,
        gae_lambda=ppo.gae_lambda if ppo.use_gae else 1.0,
        intrinsic_gamma=intrinsic.gamma,
        extrinsic_coef=ppo.extrinsic_coef,
        intrinsic_coef=intrinsic.coef,
        normalize_advantage=ppo.normalize_advantage,
        max_grad_norm=ppo.max_grad_norm if ppo.use_gradient_clipping else None,
        # Burda et al. 2018, table 5: the share falls as environments are added, so that the
        # predictor learns at the pace of 32 environments.
        predictor_share=min(1.0, 32 / total_envs) if share == "auto" else share,
    )


def rollout_shape(config: Config, spec: EnvironmentSpec, num_envs: int) -> RolloutShape:
    """Return the sizes of this rank's rollouts."""
    return RolloutShape(
        rollout_steps=config.ppo.rollout_steps,
        num_envs=num_envs,
        stack_size=stack_size(config, spec),
        observation_shape=spec.observation_shape,
        observation_dtype=torch.uint8 if spec.observation_dtype == "uint8" else torch.float32,
        action_shape=() if spec.discrete else (spec.num_actions,),
    )


def stack_size(config: Config, spec: EnvironmentSpec) -> int:
    """Return the frames in the policy's input; vectors are not stacked."""
    return 1 if len(spec.observation_shape) == 1 else config.environment.stack_size
