"""The stages that Super Mario Bros draws from: as they are written, checked and kept."""

from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import config_from_mapping, dump_config, load_config, render_conf

DRAWN = {"EnvType": "mario", "EnvID": "SuperMarioBrosRandomStages-v0"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1-1, 4-2", ("1-1", "4-2")),
        ('["1-1", "4-2"]', ("1-1", "4-2")),
        ("8-4", ("8-4",)),
        ("All", "all"),
    ],
)
def test_a_list_is_read_and_kept(tmp_path: Path, written: str, read: object) -> None:
    config = config_from_mapping(DRAWN | {"MarioStages": written})
    assert config.environment.mario_stages == read
    assert config_from_mapping(dump_config(config)) == config
    copy = tmp_path / "copy.conf"
    copy.write_text(render_conf(config))
    assert load_config(copy).config == config


def test_a_stored_configuration_from_before_draws_from_all() -> None:
    assert config_from_mapping(DRAWN).environment.mario_stages == "all"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"MarioStages": "1-1, 9-1"}, "allowed: all or those wanted of 1-1 to 8-4"),
        ({"MarioStages": "5, 6"}, "is not one of the choices"),
        ({"MarioStages": "[]"}, "is not one of the choices"),
        ({"MarioStages": "1-1, 2-1, 1-1"}, "1-1 is named more than once"),
        ({"MarioStages": "1-1", "EnvID": "SuperMarioBros-v0"}, "RandomStages-v0 of mario draws"),
        ({"MarioStages": "1-1", "EnvType": "atari", "EnvID": "ALE/Pong-v5"}, "MarioStages = all"),
    ],
)
def test_a_list_that_cannot_be_is_refused(settings: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        config_from_mapping(DRAWN | settings)
