"""The protocol that episodes are played under: that of training, or another one on purpose.

An evaluation plays under another one where its command line says so (`--set StickyAction=False`);
a recipe that differs is taken for a mistake, see `compatibility`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from configs.loading import LoadedConfig, config_from_mapping, dump_config
from configs.schema import Config
from training.checkpoints.compatibility import PROTOCOL_FIELDS, key_of, stated_fields, value_of

# These mean something to some families of environments alone; the others to all.
FAMILIES = {
    "environment.sticky_actions": ("atari", "mario"),
    "environment.sticky_probability": ("atari", "mario"),
    "environment.life_done": ("atari", "mario"),
    "environment.nuisance": ("minigrid",),
    "environment.renderer": ("box2d",),
    "environment.dream_temperature": ("dream",),
}


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation's episodes.

    Attributes:
        config: the checkpoint's, with these rules.
        changes: key -> value in training and here, of each rule that differs; {} where none does.
    """

    config: Config
    changes: Mapping[str, Mapping[str, str]]


def asked_protocol(loaded: LoadedConfig, trained: Config) -> Protocol:
    """Return the rules that the command line asks for, in all else those of `trained`.

    Raises:
        ConfigurationError: they cannot stand with the checkpoint's environment.
    """
    asked = {
        key_of(loaded.config, name): value_of(loaded.config, name)
        for name in protocol_by_hand(loaded)
    }
    config = config_from_mapping(dump_config(trained) | asked) if asked else trained
    before, now = protocol_of(trained), protocol_of(config)
    changes = {
        key: {"trained": before.get(key, "unused"), "evaluated": value}
        for key, value in now.items()
        if before.get(key) != value
    }
    return Protocol(config, changes)


def protocol_by_hand(loaded: LoadedConfig) -> list[str]:
    """Return the fields of the protocol that the command line gives."""
    return [
        name
        for name in PROTOCOL_FIELDS
        if loaded.sources[key_of(loaded.config, name)] == "command line"
    ]


def fields_to_fit(loaded: LoadedConfig) -> list[str]:
    """Return the stated fields in which an evaluation may not differ from its checkpoint."""
    by_hand = protocol_by_hand(loaded)
    return [name for name in stated_fields(loaded) if name not in by_hand]


def protocol_of(config: Config) -> dict[str, str]:
    """Return key -> value of the rules that mean something in this environment."""
    unused = {
        name for name, families in FAMILIES.items() if config.environment.env_type not in families
    }
    if not config.environment.sticky_actions:
        unused.add("environment.sticky_probability")
    return {key_of(config, n): value_of(config, n) for n in PROTOCOL_FIELDS if n not in unused}


def changes_text(changes: Mapping[str, Mapping[str, str]]) -> str:
    """Return in words what differs from training."""
    return ", ".join(
        f"{key} = {each['evaluated']} (in training {each['trained']})"
        for key, each in changes.items()
    )
