"""Which Atari games there are, and how their ids are spelled."""

import difflib
import re
from functools import cache
from types import ModuleType

from configs.errors import ConfigurationError

# Their cartridges have no game for one player; the emulator refuses them.
WITHOUT_A_SINGLE_PLAYER = frozenset({"combat", "joust", "maze_craze", "warlords"})

MONTEZUMA_REVENGE = "montezuma_revenge"
# A pyramid of 24 rooms, numbered from its top, as the game keeps them in memory.
MONTEZUMA_ROOM_ROWS = (
    (0, 1, 2),
    (3, 4, 5, 6, 7),
    (8, 9, 10, 11, 12, 13, 14),
    (15, 16, 17, 18, 19, 20, 21, 22, 23),
)

_ID = re.compile(
    r"(?P<name>[A-Za-z0-9]+?)(?:NoFrameskip|Deterministic)?-v[04]|ALE/(?P<v5>[A-Za-z0-9]+)-v5"
)


def load_ale_py() -> ModuleType:
    """Import the emulator's package, only in a process that plays Atari, and silence its banner.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import ale_py  # noqa: PLC0415 - a process that plays no Atari does without its memory
        import ale_py.roms  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"EnvType = atari needs ale-py (pip install ale-py): {error}"
        ) from error
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return ale_py


@cache
def atari_games() -> dict[str, str]:
    """Return every game for one player: its name as in an id ("Pong") -> the name of its ROM."""
    playable = sorted(set(load_ale_py().roms.get_all_rom_ids()) - WITHOUT_A_SINGLE_PLAYER)
    return {rom.title().replace("_", ""): rom for rom in playable}


def rom_of(env_id: str) -> str:
    """Return the ROM of PongNoFrameskip-v4, PongDeterministic-v4, Pong-v4, ALE/Pong-v5 or the like.

    Raises:
        ConfigurationError: no such game; the message names the nearest ids.
    """
    games = atari_games()
    match = _ID.fullmatch(env_id)
    rom = games.get(match["name"] or match["v5"]) if match else None
    if rom is not None:
        return rom
    if "-ram" in env_id:
        raise ConfigurationError(
            f"EnvID = {env_id}: EnvType = atari shows the screen of a game, not its RAM; leave out "
            "-ram, or register an environment of yours that observes it, with EnvType = gymnasium"
        )
    word = re.split(r"NoFrameskip|Deterministic|-", env_id.removeprefix("ALE/"))[0]
    spelled = {name.lower(): name for name in games}
    near = difflib.get_close_matches(word.lower(), spelled, n=3, cutoff=0.5)
    names = [spelled[name] for name in near] or ["MontezumaRevenge", "Pong", "Breakout"]
    ids = ", ".join(f"{name}NoFrameskip-v4" for name in names)
    raise ConfigurationError(f"EnvID = {env_id} is no Atari game; the nearest ids are {ids}")
