"""What a bonus can look at."""

from configs.schema import Config


def check_bonus(config: Config) -> list[str]:
    """Refuse inputs that a bonus cannot look at."""
    intrinsic, found = config.intrinsic, []
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
