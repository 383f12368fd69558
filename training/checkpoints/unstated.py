"""A run that is continued keeps what its recipe leaves open, whatever the defaults are today."""

from configs.loading import LoadedConfig, config_from_mapping, dump_config
from training.checkpoints.storage import Payload

# Their defaults depend on EnvType; before that they were 4500 and sign for all.
KEPT = ("MaxStepPerEpisode", "LearningReward")


def keep_unstated(loaded: LoadedConfig, payload: Payload | None) -> LoadedConfig:
    """Return the configuration with the checkpoint's values of KEPT keys that nobody states.

    Args:
        loaded: what recipe and command line say.
        payload: the checkpoint that is continued; None for a new run.
    """
    if payload is None:
        return loaded
    own, found = dump_config(loaded.config), payload["facts"]["config"]
    kept = {
        key: found[key]
        for key in KEPT
        if loaded.sources[key] == "default" and found.get(key, own[key]) != own[key]
    }
    if not kept:
        return loaded
    told = ", ".join(f"{key} = {value}" for key, value in kept.items())
    return LoadedConfig(
        config_from_mapping(own | kept),
        {**loaded.sources, **dict.fromkeys(kept, "checkpoint")},
        (*loaded.notes, f"as in the checkpoint, since the recipe does not say: {told}"),
    )
