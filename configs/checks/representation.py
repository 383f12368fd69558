"""Heads, their pretraining, and a backbone that is frozen."""

from configs.schema import Config
from configs.typed import typed


def check_representation(config: Config) -> list[str]:
    """Refuse a head without frames or samples, and a backbone that cannot be frozen."""
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
    return [*found, *_frozen(config)]


def _frozen(config: Config) -> list[str]:
    """Refuse to freeze a backbone that is not there, or that would stay random."""
    section, ppo = config.representation, config.ppo
    if not section.freeze_backbone:
        return []
    has_own_network = ppo.custom_model_name is None  # else checks/policy.py refuses it
    if has_own_network and not config.observes_pixels and ppo.memory == "none":
        return [
            "FreezeSharedBackbone = True with state observations: a policy of state vectors has no "
            "shared backbone; set FreezeSharedBackbone = False"
        ]
    if section.pretraining_updates > 0 or config.run.load_model:
        return []
    return [
        "FreezeSharedBackbone = True without pretraining: the backbone would stay random; set "
        "SSLPretraining to a number of updates, or loadModel = True to take the backbone of "
        f"{typed('--load_model_path')}"
    ]
