"""What TD3 has no place for."""

from configs.schema import Config


def check_td3(config: Config) -> list[str]:
    """Refuse what TD3 has no place for."""
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
