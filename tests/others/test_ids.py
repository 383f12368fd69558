"""Ids that cannot be made: each answered by what mends it, not by advice that is already taken."""

import importlib
import sys
from pathlib import Path

import gymnasium
import pytest

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.families import family_by_name
from workers.environments.registered.registered import RegisteredEnvironment


def refusal(env_id: str) -> str:
    section = EnvironmentSection(env_type="gymnasium", env_id=env_id)
    with pytest.raises(ConfigurationError) as caught:
        RegisteredEnvironment(section)
    return str(caught.value)


@pytest.mark.parametrize(
    ("env_id", "family"),
    [
        ("ALE/Breakout-v5", "atari"),
        ("MontezumaRevengeNoFrameskip-v4", "atari"),
        ("MiniGrid-NoSuchRoom-v0", "minigrid"),
        ("BabyAI-GoToNothing-v0", "minigrid"),
        ("SuperMarioBros-1-2-v0", "mario"),
    ],
)
def test_gym_3201_an_id_of_another_family_is_answered_by_that_family(
    env_id: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is there: nothing is to be installed, and no module to be named."""
    for name in [each for each in gymnasium.registry if family_by_name(each) == family]:
        monkeypatch.delitem(gymnasium.registry, name)  # another test's process may have them
    assert refusal(env_id).endswith(f"it is an id of EnvType = {family}")


def test_a_registered_id_is_not_said_to_be_missing() -> None:
    gymnasium.register("NowhereOfMine-v0", "gymnasium.envs.classic_control:NoSuchClass")
    assert refusal(f"{__name__}:NowhereOfMine-v0").endswith(
        "it is registered, and what its entry point imports must be there"
    )


def test_stable_baselines3_1869_a_module_that_registers_nothing_is_told_where_to_do_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose registration is a function, or stands below __name__ == "__main__"."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rooms_of_mine.py"
    path.write_text(
        "import gymnasium\n"
        "def register_rooms():\n"
        "    gymnasium.register('RoomOfMine-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"
    )
    importlib.invalidate_caches()
    try:
        text = refusal("rooms_of_mine:RoomOfMine-v0")
    finally:
        sys.modules.pop("rooms_of_mine", None)
    assert f"{path} was imported and registers no such id" in text
    assert "PYTHONPATH" not in text
