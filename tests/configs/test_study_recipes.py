"""All recipes of the study that this tool grew out of mean here what they meant there."""

from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import dump_config, load_config
from tests.configs.study_recipes import StudyRecipe, study_recipes

RECIPES = study_recipes()
LOADED = [recipe for recipe in RECIPES if not recipe.refused]
REASONS = {
    "shared_ppo_backbone_last_layer_type": "shared_ppo_backbone_last_layer_type = Conv: bonus and "
    "head look at the backbone's last dense layer here, never at its last convolution; set it to "
    "Linear for that layer",
    "SSL_pretraining": "SSL_pretraining = True: the code it comes from pretrains without an end "
    "and never trains the policy; set SSLPretraining to a number of gradient steps, after which "
    "the policy is trained",
}


def write(folder: Path, recipe: StudyRecipe) -> Path:
    path = folder / "study.conf"
    path.write_text(recipe.text)
    return path


@pytest.mark.parametrize("recipe", LOADED, ids=str)
def test_a_recipe_of_the_study_is_read_as_what_it_meant(
    recipe: StudyRecipe, tmp_path: Path
) -> None:
    loaded = load_config(write(tmp_path, recipe))
    found = dump_config(loaded.config)
    stated = {key for key, source in loaded.sources.items() if source != "default"}
    assert {key: found[key] for key in stated} == recipe.values


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.refused], ids=str)
def test_a_recipe_that_cannot_be_honoured_is_refused_with_the_reason_alone(
    recipe: StudyRecipe, tmp_path: Path
) -> None:
    path = write(tmp_path, recipe)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}:")
    assert line.endswith(f": {REASONS[recipe.refused]}")


@pytest.mark.parametrize(
    ("refused", "mended"),
    [
        ("SSL_pretraining", "SSLPretraining=2000"),
        ("shared_ppo_backbone_last_layer_type", "shared_ppo_backbone_last_layer_type = Linear"),
    ],
)
def test_what_a_refusal_says_helps(refused: str, mended: str, tmp_path: Path) -> None:
    for recipe in (recipe for recipe in RECIPES if recipe.refused == refused):
        path = write(tmp_path, recipe)
        if refused == "SSL_pretraining":
            assert load_config(path, [mended]).config.representation.pretraining_updates == 2000
        else:
            path.write_text(recipe.text.replace(f"{refused} = Conv", mended))
            assert load_config(path).config.intrinsic.rnd_input == "features"


def test_there_are_61_recipes_of_which_53_load() -> None:
    assert (len(RECIPES), len(LOADED)) == (61, 53)
    assert sorted(recipe.refused for recipe in RECIPES if recipe.refused) == [
        *["SSL_pretraining"] * 6,
        *["shared_ppo_backbone_last_layer_type"] * 2,
    ]
