"""The protocol of an evaluation: training's, but for what the command line says."""

from pathlib import Path

import pytest

from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig, config_from_mapping, load_config
from training.checkpoints.compatibility import check_fit
from training.checkpoints.protocol import (
    asked_protocol,
    changes_text,
    fields_to_fit,
    protocol_of,
)

PONG = {"EnvID": "PongNoFrameskip-v4"}
CARTPOLE = {"EnvType": "classic_control", "EnvID": "CartPole-v1"}


def loaded(folder: Path, recipe: dict[str, str], *overrides: str) -> LoadedConfig:
    path = folder / "some.conf"
    path.write_text("".join(f"{key} = {value}\n" for key, value in recipe.items()))
    return load_config(path, overrides)


@pytest.mark.parametrize(
    ("trained", "override", "changes"),
    [
        ({}, "StickyAction=False", {"StickyAction": ("True", "False")}),
        ({"StickyAction": "False"}, "StickyAction=False", {}),
        (
            {"StickyAction": "False"},
            "StickyAction=True",
            {"StickyAction": ("False", "True"), "ActionProb": ("unused", "0.25")},
        ),
        ({"StickyAction": "False"}, "ActionProb=0.5", {}),
        ({}, "ActionProb=0.5", {"ActionProb": ("0.25", "0.5")}),
        ({}, "LifeDone=True", {"LifeDone": ("False", "True")}),
        ({}, "MaxStepPerEpisode=auto", {"MaxStepPerEpisode": ("4500", "auto")}),
    ],
)
def test_what_the_command_line_says_holds_and_is_named(
    tmp_path: Path,
    trained: dict[str, str],
    override: str,
    changes: dict[str, tuple[str, str]],
) -> None:
    found = config_from_mapping(PONG | trained)
    asked = asked_protocol(loaded(tmp_path, PONG | trained, override), found)
    assert asked.config == config_from_mapping(PONG | trained | dict([override.split("=")]))
    assert asked.changes == {
        key: {"trained": before, "evaluated": now} for key, (before, now) in changes.items()
    }


def test_a_rule_that_means_nothing_in_an_environment_is_no_change(tmp_path: Path) -> None:
    found = config_from_mapping(CARTPOLE)
    asked = asked_protocol(loaded(tmp_path, CARTPOLE, "StickyAction=False"), found)
    assert asked.changes == {}
    assert protocol_of(found) == {"MaxStepPerEpisode": "auto"}


def test_only_the_command_line_changes_the_protocol(tmp_path: Path) -> None:
    found = config_from_mapping(PONG | {"LearningRate": "3e-4"})
    recipe = PONG | {"StickyAction": "False"}
    assert asked_protocol(loaded(tmp_path, recipe), found).config == found
    stated = loaded(tmp_path, recipe)
    with pytest.raises(CheckpointError, match=r"StickyAction\s+False\s+True"):
        check_fit(stated.config, found, "demo.ckpt", fields_to_fit(stated))
    by_hand = loaded(tmp_path, PONG, "StickyAction=False")
    check_fit(by_hand.config, found, "demo.ckpt", fields_to_fit(by_hand))


def test_what_shapes_the_network_is_no_protocol(tmp_path: Path) -> None:
    by_hand = loaded(tmp_path, PONG, "FrameSkip=2")
    with pytest.raises(CheckpointError, match="FrameSkip"):
        check_fit(by_hand.config, config_from_mapping(PONG), "x", fields_to_fit(by_hand))


def test_a_protocol_that_the_environment_cannot_have_is_refused(tmp_path: Path) -> None:
    recipe = {"EnvType": "minigrid", "EnvID": "MiniGrid-MultiRoom-N4-S5-v1"}
    by_hand = loaded(tmp_path, recipe, "Nuisance=noise")
    with pytest.raises(ConfigurationError, match="Nuisance = noise"):
        asked_protocol(by_hand, config_from_mapping(PONG))


def test_changes_are_told_in_words() -> None:
    changes = {"StickyAction": {"trained": "True", "evaluated": "False"}}
    assert changes_text(changes) == "StickyAction = False (in training True)"


def test_another_environment_is_a_change_and_is_seen_as_in_training(tmp_path: Path) -> None:
    found = config_from_mapping(
        {"EnvType": "minigrid", "EnvID": "MiniGrid-Empty-8x8-v0", "LayoutSeed": "1"}
    )
    recipe = {"EnvType": "minigrid", "EnvID": "MiniGrid-Empty-8x8-v0"}
    named = ("EnvType=gymnasium", "EnvID=mine:Maze-v0", "LayoutSeed=2")
    by_hand = loaded(tmp_path, recipe, *named)
    check_fit(by_hand.config, found, "demo.ckpt", fields_to_fit(by_hand))
    asked = asked_protocol(by_hand, found)
    assert asked.config.observes_pixels
    assert asked.changes == {
        "EnvType": {"trained": "minigrid", "evaluated": "gymnasium"},
        "EnvID": {"trained": "MiniGrid-Empty-8x8-v0", "evaluated": "mine:Maze-v0"},
    }
    other_map = asked_protocol(loaded(tmp_path, recipe, "LayoutSeed=2"), found)
    assert other_map.changes == {"LayoutSeed": {"trained": "1", "evaluated": "2"}}
