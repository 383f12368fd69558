"""What a policy is made of that looks through an encoder."""

import copy

from torch import nn

from agents.encoders.backbone import EncoderBackbone, VectorEncoderBackbone
from agents.encoders.encoder import Encoder
from agents.encoders.registry import build_encoder
from agents.networks.actor_critic import EncodedActorCritic, VectorActorCritic
from agents.networks.recurrent_actor_critic import RecurrentActorCritic
from agents.ppo.learner import Learner
from agents.recurrent.encoded_policy import RememberingEncodedPolicy
from agents.td3.actor_policy import ActorPolicy
from agents.td3.td3_learner import TD3Learner
from configs.errors import ConfigurationError
from configs.schema import Config


def build_encoded_policy(
    encoder: Encoder, heads: VectorActorCritic, config: Config, stack_size: int
) -> EncodedActorCritic:
    """Return a policy that trains an encoder: its own copy of `encoder`, or a fresh one.

    Args:
        encoder: as it was trained.
        heads: judge features.
        config: the run's configuration.
        stack_size: frames in the policy's input.
    """
    backbone = build_encoder_backbone(encoder, config, stack_size)
    split = config.representation.use == "brain_split"
    return EncodedActorCritic(backbone, heads, copy.deepcopy(backbone) if split else None)


def build_encoder_backbone(encoder: Encoder, config: Config, stack_size: int) -> EncoderBackbone:
    """Return a backbone that trains its own copy of `encoder`, or a fresh one.

    Args:
        encoder: as it was trained.
        config: the run's configuration.
        stack_size: frames in the policy's input.
    """
    scratch = config.representation.use == "scratch"
    module = fresh_encoder(encoder) if scratch else copy.deepcopy(encoder)
    return EncoderBackbone(module.requires_grad_(True), stack_size, normalize=True)


def fresh_encoder(encoder: Encoder) -> Encoder:
    """Return another one of the same architecture and preprocessing, with weights of its own."""
    fresh = build_encoder(encoder.facts)
    fresh.preprocessing.load_state_dict(encoder.preprocessing.state_dict())
    return fresh


def frames_policy(learner: Learner, stack_size: int) -> nn.Module:
    """Return the policy as one module from stacked frames, or vectors, to its output.

    Raises:
        ConfigurationError: see `encoded`.
    """
    if learner.encoder is None:
        return learner.policy
    return encoded(learner.encoder, learner.policy, stack_size)


def encoded(encoder: Encoder, policy: nn.Module, stack_size: int) -> nn.Module:
    """Return a policy of features behind the frozen encoder that makes them.

    Raises:
        ConfigurationError: the encoder remembers, and the policy sees several of its features.
    """
    if encoder.initial_memory(1) is not None:
        if stack_size > 1:
            raise ConfigurationError(
                f"Representation = frozen with the encoder {encoder.kind} and StateStackSize = "
                f"{stack_size}: it remembers the episode, and an exported policy takes one step "
                "with one frame; play the checkpoint by --eval, or train with StateStackSize = 1"
            )
        return RememberingEncodedPolicy(encoder, policy)
    backbone = EncoderBackbone(encoder, stack_size, frozen=True)
    if isinstance(policy, RecurrentActorCritic):
        whole = copy.deepcopy(policy)
        whole.backbone = backbone
        return whole
    assert isinstance(policy, VectorActorCritic)
    return EncodedActorCritic(backbone, policy, None)


def frames_actor(learner: TD3Learner, stack_size: int) -> ActorPolicy:
    """Return TD3's actor and first critic as one module from stacked frames, or vectors.

    Raises:
        ConfigurationError: its frozen encoder remembers, for which such a module has no place.
    """
    if learner.encoder is None:
        return ActorPolicy(learner, None)
    if learner.encoder.initial_memory(1) is not None:
        raise ConfigurationError(
            f"Agent = TD3 on the frozen encoder {learner.encoder.kind}: it remembers the episode, "
            "and an exported actor does not; play the checkpoint by --eval, or export one of "
            "Representation = finetune"
        )
    return ActorPolicy(learner, EncoderBackbone(learner.encoder, stack_size, frozen=True))


def encoder_parameters(policy: nn.Module) -> list[nn.Parameter]:
    """Return the trained parameters of the encoders in a policy."""
    return [
        parameter
        for part in policy.modules()
        if isinstance(part, EncoderBackbone | VectorEncoderBackbone)
        for parameter in part.encoder.parameters()
        if parameter.requires_grad
    ]
