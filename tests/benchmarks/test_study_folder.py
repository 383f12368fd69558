"""What lies in a study's folder, and what of it is still to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.study_folder import (
    evaluation_file,
    file_name,
    is_finished,
    keep_study,
    recipe_copy,
)
from configs.errors import ConfigurationError
from tests.benchmarks.records import leave_status

RECIPE = "[Run]\nSeed = 1\n"


def test_a_study_keeps_its_recipes_and_refuses_others(tmp_path: Path) -> None:
    recipe, folder = tmp_path / "a.conf", tmp_path / "study"
    recipe.write_text(RECIPE)
    keep_study(folder, {"set": []}, {"A+b": recipe})
    assert recipe_copy(folder, "A+b").read_text() == RECIPE
    keep_study(folder, {"set": []}, {})
    with pytest.raises(ConfigurationError, match="was begun with"):
        keep_study(folder, {"set": ["Gamma=0.9"]}, {})
    recipe.write_text("[Run]\nSeed = 2\n")
    with pytest.raises(ConfigurationError, match=r"arm A\+b.*has changed"):
        keep_study(folder, {"set": []}, {"A+b": recipe})
    with pytest.raises(ConfigurationError, match=r"arm C: there is no recipe"):
        keep_study(folder, {"set": []}, {"C": tmp_path / "c.conf"})
    assert file_name("RND+Barlow-Twins") == "rnd_barlow_twins"


def test_a_mistyped_key_leaves_no_study_behind(tmp_path: Path) -> None:
    recipe, folder = tmp_path / "a.conf", tmp_path / "study"
    recipe.write_text(RECIPE)
    with pytest.raises(ConfigurationError, match="Gama"):
        keep_study(folder, {"set": ["Gama=0.9"]}, {"A": recipe}, ["Gama=0.9"])
    keep_study(folder, {"set": ["Gamma=0.9"]}, {"A": recipe}, ["Gamma=0.9"])


LINEAR = "[PPO]\nLearningRateSchedule = linear\n"
COSINE = (
    "[Representation]\nRepresentationLearningParameter = BYOL\nBYOL_momentumSchedule = cosine\n"
)


@pytest.mark.parametrize("text", [LINEAR, COSINE])
def test_where_a_recipe_changes_over_env_steps_they_belong_to_the_study(
    text: str, tmp_path: Path
) -> None:
    recipe, folder = tmp_path / "a.conf", tmp_path / "study"
    recipe.write_text(text)
    keep_study(folder, {"set": []}, {"A": recipe}, env_steps=1000)
    keep_study(folder, {"set": []}, {"A": recipe}, env_steps=1000)
    assert json.loads((folder / "study.json").read_text()) == {"set": [], "env_steps": 1000}
    for recipes in ({"A": recipe}, {}):
        with pytest.raises(
            ConfigurationError, match=r"with --env_steps 1000, not with --env_steps 2000;"
        ):
            keep_study(folder, {"set": []}, recipes, env_steps=2000)


def test_where_none_does_a_study_may_be_trained_further(tmp_path: Path) -> None:
    recipe, folder = tmp_path / "a.conf", tmp_path / "study"
    recipe.write_text(RECIPE)
    for env_steps in (1000, 2000):
        keep_study(folder, {"set": []}, {"A": recipe}, env_steps=env_steps)
    recipe.write_text(LINEAR)
    constant = ["LearningRateSchedule=constant"]
    for env_steps in (1000, 2000):
        keep_study(tmp_path / "b", {}, {"A": recipe}, constant, env_steps)
    for begun in (folder, tmp_path / "b"):
        assert "env_steps" not in json.loads((begun / "study.json").read_text())


def test_an_older_study_that_does_not_say_its_env_steps_is_refused_in_words(
    tmp_path: Path,
) -> None:
    recipe, folder = tmp_path / "a.conf", tmp_path / "study"
    recipe.write_text(LINEAR)
    keep_study(folder, {"set": []}, {"A": recipe})
    with pytest.raises(ConfigurationError, match="does not say for how many env steps"):
        keep_study(folder, {"set": []}, {"A": recipe}, env_steps=1000)
    with pytest.raises(ConfigurationError, match="was begun with"):
        keep_study(folder, {"set": ["Gamma=0.9"]}, {"A": recipe}, env_steps=1000)
    (folder / "study.json").write_text('{"set": [], "env_steps": 1000}')
    keep_study(folder, {"set": []}, {"A": recipe}, env_steps=1000)


def test_what_ended_well_with_enough_env_steps_is_finished(tmp_path: Path) -> None:
    assert not is_finished(tmp_path / "run")
    for code, env_steps, finished in [(None, 900, False), (75, 900, False), (0, 900, True)]:
        leave_status(tmp_path / "run", code, env_steps)
        assert is_finished(tmp_path / "run", 800) is finished
    assert not is_finished(tmp_path / "run", 1000)


ASKED: dict[str, Any] = {"episodes": 20, "seed": 1, "action_choice": "greedy"}


def leave_evaluation(folder: Path, name: str, **report: Any) -> Path:
    (folder / "evaluation").mkdir(exist_ok=True)
    path = folder / "evaluation" / f"{name}.json"
    path.write_text(json.dumps(report))
    return path


def test_an_evaluation_is_that_after_the_fewest_env_steps_that_are_enough(tmp_path: Path) -> None:
    assert evaluation_file(tmp_path, env_steps=0, **ASKED) is None
    paths = {
        env_steps: leave_evaluation(
            tmp_path, f"x_{env_steps}", env_steps_trained=env_steps, **ASKED
        )
        for env_steps in (900, 1000, 100)
    }
    for wanted, found in ((0, 100), (100, 100), (101, 900), (901, 1000)):
        assert evaluation_file(tmp_path, env_steps=wanted, **ASKED) == paths[found]
    assert evaluation_file(tmp_path, env_steps=1001, **ASKED) is None


@pytest.mark.parametrize(
    "other",
    [
        {"episodes": 100},
        {"seed": 2},
        {"action_choice": "sampled"},
        {"protocol_changes": {"StickyAction": {"trained": "True", "evaluated": "False"}}},
    ],
)
def test_an_evaluation_that_was_asked_for_otherwise_is_none_of_the_study(
    other: dict[str, Any], tmp_path: Path
) -> None:
    leave_evaluation(tmp_path, "a", env_steps_trained=900, **ASKED | other)
    assert evaluation_file(tmp_path, env_steps=900, **ASKED) is None
    asked = leave_evaluation(tmp_path, "b", env_steps_trained=1000, **ASKED)
    assert evaluation_file(tmp_path, env_steps=900, **ASKED) == asked


def test_only_the_settings_that_differ_are_named_as_they_are_typed(tmp_path: Path) -> None:
    keep_study(tmp_path, {"rollouts": 60, "use": "frozen", "set": ["Gamma=0.9", "Seed=2"]}, {})
    with pytest.raises(ConfigurationError) as refused:
        keep_study(tmp_path, {"rollouts": 50, "use": "frozen", "set": []}, {})
    assert str(refused.value) == (
        f"the study in {tmp_path} was begun with --rollouts 60 and --set Gamma=0.9 --set Seed=2, "
        "not with --rollouts 50 and no --set; name another --folder"
    )
