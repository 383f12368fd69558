"""What learns in a run, in words, where it is not the usual network of its own."""

from configs.schema import Config

# What becomes of an encoder's weights, by Representation.
_USES = {
    "frozen": "frozen",
    "finetune": "finetune",
    "brain_split": "brain_split: a copy each for actor and critics",
    "scratch": "scratch: its network from fresh weights",
}


def policy_text(config: Config) -> str | None:
    """Say what a policy looks through and remembers by, and what its critics see besides.

    Args:
        config: of a run of PPO or TD3.

    Returns:
        Some words for a row, such as "encoder runs/sprites (frozen), GRU of 64"; None where
        nothing is unlike a network of the run's own.
    """
    parts = [*_seen(config), *_learnt_by(config)]
    return ", ".join(parts) or None


def _seen(config: Config) -> list[str]:
    use, path = config.representation.use, config.encoder_path
    if path is not None:
        return [f"encoder {path} ({_USES.get(use, use)})"]
    return ["the environment's own state (oracle)"] if use == "oracle" else []


def _learnt_by(config: Config) -> list[str]:
    ppo, td3 = config.ppo, config.td3
    if config.run.agent == "TD3":
        if td3.transition_path is None:
            return []
        return [f"critics also see what {td3.transition_path} foretells ({td3.transition_use})"]
    if ppo.custom_model_name is not None:
        return [f"models/{ppo.custom_model_name}.py in the place of the usual network"]
    return [] if ppo.memory == "none" else [f"{ppo.memory} of {config.memory_units}"]
