from pathlib import Path

import pytest

from configs.loading import load_config
from configs.options import all_options, option_values
from configs.presets import PRESETS
from configs.schema import Config, PPOSection


def test_there_is_a_preset_for_every_choice_of_the_schema() -> None:
    assert set(all_options()["preset"].choices) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_its_values_and_leaves_the_rest(tmp_path: Path, name: str) -> None:
    path = tmp_path / "preset.conf"
    path.write_text(f"Preset = {name}\n")
    loaded = load_config(path)
    values, defaults = option_values(loaded.config), option_values(Config())
    for key, value in PRESETS[name].items():
        assert values[key] == value
        assert loaded.sources[key] == "preset"
        assert defaults[key] != value, "a preset holds only what differs"
    rest = values.keys() - PRESETS[name].keys() - {"Preset"}
    assert {key: values[key] for key in rest} == {key: defaults[key] for key in rest}


def test_the_paper_is_the_schemas_default() -> None:
    assert PRESETS["paper"] == {}
    assert PPOSection().preset == "paper"


def test_no_preset_of_a_port_clips_where_the_port_does_not() -> None:
    assert "UseGradClipping" not in PRESETS["jcwleo"]
    assert PRESETS["cleanrl"]["UseGradClipping"] is True
