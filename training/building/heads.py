"""From a configuration to a representation head: which kind means which class."""

from torch import nn

from agents.representation.barlow_twins import BarlowTwinsHead
from agents.representation.byol import BYOLHead
from agents.representation.head import RepresentationHead
from agents.representation.representation import RepresentationLearning, SlowSchedule
from agents.representation.views import make_view
from configs.schema import Config, RepresentationSection


def build_representation(config: Config, policy: nn.Module) -> RepresentationLearning | None:
    """Build what trains the policy's backbone beside PPO; None where nothing does.

    A frozen backbone has nothing to learn beside PPO: its head is built for pretraining alone.
    """
    if config.representation.freeze_backbone:
        return None
    return build_pretraining(config, policy)


def build_pretraining(config: Config, policy: nn.Module) -> RepresentationLearning | None:
    """Build a head on the policy's backbone, frozen later or not; None without a head."""
    section = config.representation
    if section.kind == "None":
        return None
    backbone = policy.get_submodule("backbone")
    return RepresentationLearning(
        backbone,
        _build_head(section, config.ppo.feature_size),
        make_view(section.augmentation, section.shift_pixels),
        SlowSchedule(section.byol_momentum, section.byol_momentum_schedule == "cosine"),
        neighbours=section.second_view == "next",
        coef=section.coef,
        share=section.share,
        project_gradient=section.project_gradient,
    )


def _build_head(section: RepresentationSection, feature_size: int) -> RepresentationHead:
    if section.kind == "BYOL":
        return BYOLHead(feature_size, section.byol_hidden_size, section.byol_projection_size)
    return BarlowTwinsHead(feature_size, section.barlow_projection_sizes, section.barlow_lambda)
