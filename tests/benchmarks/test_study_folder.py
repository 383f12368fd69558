"""What lies in a study's folder, and what of it is still to do."""

import json
from pathlib import Path

import pytest

from benchmarks.study_folder import (
    file_name,
    is_finished,
    keep_study,
    last_evaluation,
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


def test_what_ended_well_with_enough_env_steps_is_finished(tmp_path: Path) -> None:
    assert not is_finished(tmp_path / "run")
    for code, env_steps, finished in [(None, 900, False), (75, 900, False), (0, 900, True)]:
        leave_status(tmp_path / "run", code, env_steps)
        assert is_finished(tmp_path / "run", 800) is finished
    assert not is_finished(tmp_path / "run", 1000)


def test_the_last_evaluation_is_that_after_the_most_env_steps(tmp_path: Path) -> None:
    assert last_evaluation(tmp_path, env_steps=0, episodes=20) is None
    (tmp_path / "evaluation").mkdir()
    for env_steps in (900, 1000, 100):
        report = {"env_steps_trained": env_steps, "episodes": 20}
        (tmp_path / "evaluation" / f"x_{env_steps}.json").write_text(json.dumps(report))
    for wanted in (0, 1000):
        found = last_evaluation(tmp_path, env_steps=wanted, episodes=20)
        assert found == {"env_steps_trained": 1000, "episodes": 20}
    assert last_evaluation(tmp_path, env_steps=1001, episodes=20) is None
    assert last_evaluation(tmp_path, env_steps=0, episodes=100) is None
