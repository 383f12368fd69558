"""What --environment means: an id of Gymnasium's, or its name in capitals, as CAR_RACING."""

import re
from collections.abc import Iterable

import gymnasium

from configs.errors import ConfigurationError
from configs.options import nearest
from configs.reading import printable
from configs.schema import EnvironmentSection
from workers.environments.families import family_by_name
from workers.environments.sprites.world import SPRITES_IDS

# Which family an id belongs to by what registers it, where its name does not tell; all others are
# of EnvType = gymnasium.
PACKAGES = (
    ("gymnasium.envs.classic_control", "classic_control"),
    ("gymnasium.envs.box2d", "box2d"),
    ("gymnasium.envs.mujoco", "mujoco"),
)
_CAPITALS = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def settings_for(name: str, section: EnvironmentSection, asked: str = "--environment") -> list[str]:
    """Return the keys that make a configuration mean the environment `name`, as Key=Value.

    Args:
        name: as typed.
        section: of the recipe, whose environment stays where `name` means it.
        asked: where it was typed, for messages.

    Raises:
        ConfigurationError: there is no such environment.
    """
    if name == section.env_id:
        return []
    env_id = name
    if _CAPITALS.fullmatch(name):
        if _plain(name) == _plain(section.env_id):
            return []
        env_id = _newest(name, [*gymnasium.registry, *SPRITES_IDS], asked)
    return [f"EnvType={_family(env_id, asked)}", f"EnvID={env_id}"]


def _plain(name: str) -> str:
    """Return a name without capitals, underscores, module and version: carracing."""
    return re.sub(r"-v\d+$", "", name.rpartition(":")[2]).replace("_", "").replace("-", "").lower()


def _newest(name: str, ids: Iterable[str], asked: str) -> str:
    """Return the id of the highest version that a name in capitals means."""
    names = list(ids)
    meant = [each for each in names if _plain(each) == _plain(name)]
    if meant:
        return max(meant, key=_version)
    near = nearest(_plain(name), sorted({_plain(each) for each in names}))
    like = max((each for each in names if _plain(each) == near), key=_version, default=None)
    hint = f"did you mean {like}?" if like else "give it as Gymnasium's id, such as CarRacing-v3"
    raise ConfigurationError(f"{asked} {printable(name)}: unknown environment; {hint}")


def _version(env_id: str) -> int:
    found = re.search(r"-v(\d+)$", env_id)
    return int(found[1]) if found else 0


def _family(env_id: str, asked: str) -> str:
    """Return the value of EnvType that knows an id.

    Raises:
        ConfigurationError: nothing knows it.
    """
    if env_id in SPRITES_IDS:
        return "sprites"
    named = family_by_name(env_id)
    if named is not None:
        return named
    registered = gymnasium.registry.get(env_id)
    if registered is None and ":" not in env_id:
        near = nearest(env_id, sorted([*gymnasium.registry, *SPRITES_IDS]))
        hint = f"did you mean {near}?" if near else "an id of your own is written module:id"
        raise ConfigurationError(f"{asked} {printable(env_id)}: unknown environment; {hint}")
    entry = "" if registered is None else str(registered.entry_point)
    families = (family for package, family in PACKAGES if entry.startswith(package))
    family = next(families, "gymnasium")
    if family == "box2d" and not env_id.startswith(("CarRacing-v3", "LunarLander")):
        return "gymnasium"
    return family
