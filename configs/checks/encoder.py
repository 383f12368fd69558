"""An encoder as the backbone, and the use of it."""

from configs.schema import Config


def check_encoder(config: Config) -> list[str]:
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
    if section.freeze_backbone and config.run.agent == "PPO":
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
