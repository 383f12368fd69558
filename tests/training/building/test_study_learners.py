"""What the study's recipes are built as: one learner for each kind, with narrow layers."""

from pathlib import Path

import pytest

from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.networks.slow_copy import SlowCopy
from agents.ppo.learner import Learner
from agents.representation.barlow_twins import BarlowTwinsHead
from agents.representation.byol import BYOLHead
from configs.loading import load_config
from configs.schema import Config
from tests.agents.small import drawn_from
from tests.configs.study_recipes import StudyRecipe, study_recipes
from training.building.learner import build_learner, build_optimizer
from workers.environments.base import EnvironmentSpec

N = 2
SPEC = EnvironmentSpec("made up", (1, 84, 84), "uint8", discrete=True, num_actions=3)
NARROW = [
    "FeatureDim=8",
    "HiddenSize=8",
    "RNDFeatureDim=8",
    "RNDHiddenSize=8",
    "BYOL_projectionHiddenSize=8",
    "BYOL_projectionSize=8",
    "BarlowTwinsProjectionSizes=8, 8",
    f"NumEnv={N}",
]
HEADS = {"BYOL": BYOLHead, "Barlow-Twins": BarlowTwinsHead}
# The keys that choose what is built; the rest are numbers.
KIND = (
    *("IntrinsicReward", "RNDInput", "UseEmaBackboneForRND", "ThirdKernel", "ObservationType"),
    *("RepresentationLearningParameter", "FreezeSharedBackbone", "UseGradientProjection"),
)


def kinds() -> dict[str, StudyRecipe]:
    found: dict[str, StudyRecipe] = {}
    for recipe in study_recipes():
        if not recipe.refused:
            found.setdefault(", ".join(recipe.values.get(key, "-") for key in KIND), recipe)
    return found


def layers_of(learner: Learner, name: str) -> list[tuple[int, ...]]:
    state = learner.state_dict()
    return [tuple(state[key].shape) for key in state if key.startswith(name) and "weight" in key]


@pytest.mark.parametrize("recipe", kinds().values(), ids=kinds())
def test_each_kind_of_the_studys_recipes_is_built(recipe: StudyRecipe, tmp_path: Path) -> None:
    path = tmp_path / "study.conf"
    path.write_text(recipe.text)
    config = load_config(path, NARROW).config
    with drawn_from(0):
        learner = build_learner(config, SPEC, N)
    assert build_optimizer(config, learner).param_groups
    check_bonus(learner, config)
    head = None if config.representation.freeze_backbone else config.representation.kind
    if head in (None, "None"):
        assert learner.representation is None
    else:
        assert learner.representation is not None
        assert isinstance(learner.representation.head, HEADS[head])
    kernel = layers_of(learner, "policy.backbone")[2][-1]
    assert kernel == (3 if "Preset" in recipe.values else 4)


def check_bonus(learner: Learner, config: Config) -> None:
    if config.intrinsic.kind == "none":
        assert learner.intrinsic is None
        return
    assert isinstance(learner.intrinsic, RandomNetworkDistillation)
    features = learner.bonus_features
    assert (features is None) == (config.intrinsic.rnd_input == "pixels")
    if features is not None:
        slow = any(isinstance(module, SlowCopy) for module in features.modules())
        assert slow == config.intrinsic.use_slow_backbone
        widths = [layer[0] for layer in layers_of(learner, "intrinsic.target")]
        assert widths == [64, 128, 256, 8]
