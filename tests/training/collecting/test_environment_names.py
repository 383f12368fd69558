"""What --environment means beside a recipe."""

import pytest

from configs.schema import EnvironmentSection
from training.collecting.environment_names import settings_for

SPRITES = EnvironmentSection(env_type="sprites", env_id="Sprites-v2")


@pytest.mark.parametrize("name", ["Sprites-v2", "SPRITES"])
def test_the_recipes_own_environment_stays(name: str) -> None:
    assert settings_for(name, SPRITES) == []


def test_another_version_is_another_environment() -> None:
    assert settings_for("Sprites-v0", SPRITES) == ["EnvType=sprites", "EnvID=Sprites-v0"]
