"""gym-super-mario-bros 7 on nes-py 8 (Python below 3.13): under numpy 2, and without old gym.

Both packages import `gym`, which is dead and clashes with numpy 2; all that they use of it for
building a game are three names. And both compute in the bytes of the emulator, which numpy 2
no longer widens: the ROM's header is given to them as int64, the RAM as Python integers.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np


def load_legacy_game() -> Any:
    """Return the class of the game, with RAM that reads as Python integers.

    Raises:
        ImportError: a package is missing.
        OSError: nes-py was installed without its compiled library.
    """
    with _stand_in_for_gym():
        package = importlib.import_module("gym_super_mario_bros")
        nes_env = importlib.import_module("nes_py.nes_env")

    class IntegerHeaderRom(nes_env.ROM):  # type: ignore[name-defined, misc] # imported at run time
        @property
        def header(self) -> Any:
            return super().header.astype(np.int64)

    class IntegerRamGame(package.SuperMarioBrosEnv):  # type: ignore[name-defined, misc] # the same
        def _ram_buffer(self) -> memoryview:
            return memoryview(super()._ram_buffer())

    nes_env.__dict__["ROM"] = IntegerHeaderRom
    return IntegerRamGame


@contextmanager
def _stand_in_for_gym() -> Iterator[None]:
    """While the packages are imported, let `gym` be a module of the three names they use."""
    spaces = ModuleType("gym.spaces")
    spaces.__dict__.update(Box=gymnasium.spaces.Box, Discrete=gymnasium.spaces.Discrete)
    gym = ModuleType("gym")
    registration = SimpleNamespace(register=_register_nothing)
    gym.__dict__.update(
        Env=object,
        Wrapper=object,
        make=_register_nothing,
        spaces=spaces,
        envs=SimpleNamespace(registration=registration),
    )
    before = {name: sys.modules.get(name) for name in ("gym", "gym.spaces")}
    sys.modules.update({"gym": gym, "gym.spaces": spaces})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _register_nothing(**registration: Any) -> None:
    """Ignore an id of old gym: nothing here is built through its registry."""
