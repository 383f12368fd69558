"""Files in the style of the two codes that this tool grew out of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig, load_config

Load = Callable[..., LoadedConfig]

JCWLEO = """\
[DEFAULT]
TrainMethod = RND

# EnvType = mario
EnvType = atari
EnvID = MontezumaRevengeNoFrameskip-v4
MaxStepPerEpisode = 4500
ExtCoef = 2.

LearningRate = 1e-4
NumEnv = 128
NumStep = 128
Gamma = 0.999
IntGamma = 0.99
Lambda = 0.95
StableEps = 1e-8
StateStackSize = 4
PreProcHeight = 84
ProProcWidth = 84
UseGAE = True
UseGPU = True
UseNorm = False
UseNoisyNet = False
ClipGradNorm = 0.5
Entropy = 0.001
Epoch = 4
MiniBatch = 4
PPOEps = 0.1
IntCoef = 1.
StickyAction = True
ActionProb = 0.25
UpdateProportion = 0.25
LifeDone = False
ObsNormStep = 50

[OPTIONS]
EnvType = [atari, mario]
"""

STUDY = """\
[DEFAULT]
SSL_pretraining = False
freeze_shared_backbone = False
TrainMethod = original_RND
use_EMA_updated_shared_ppo_backbone_for_RND = False
EMA_tau = 0.01
representationLearningMethod = None
use_gradient_projection = False
EnvType = classic_control
EnvID = CartPole-v1
extracted_feature_embedding_dim = 2048
NumStep = 128
MaxStepPerEpisode = 18000
GAELambda = 0.9 ; lambda in GAE
ProProcWidth = 64
UseNoisyNet = False
apply_same_transform_to_batch = False
BYOL_projectionHiddenSize = 896
BYOL_projectionSize = 256
BYOL_movingAverageDecay = 0.99
BYOL_representationLossCoef = 1.0
BarlowTwinsLambda = 0.0051
BarlowTwinsProjectionSizes = [1024, 1024, 1024]
BarlowTwins_representationLossCoef = 1.0
RepresentationCoef = 0.01
loadModel = False
render = False
saveCkptEvery = 2
verbose_logging = True
StableEps = 1e-8
UseGPU = False
UseGradClipping = True
MaxGradNorm = 0.4

[OPTIONS]
EnvType = [atari, mario, classic_control]
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, *overrides: str) -> LoadedConfig:
        path = tmp_path / "old.conf"
        path.write_text(text)
        return load_config(path, overrides)

    return load


def test_a_file_of_jcwleos_port_loads_with_its_values(load: Load) -> None:
    loaded = load(JCWLEO)
    config = loaded.config
    assert config.intrinsic.kind == "RND"
    assert (config.ppo.extrinsic_coef, config.intrinsic.coef) == (2.0, 1.0)
    assert (config.ppo.gae_lambda, config.ppo.gamma, config.intrinsic.gamma) == (0.95, 0.999, 0.99)
    assert (config.environment.frame_width, config.run.num_envs) == (84, 128)
    assert config.intrinsic.predictor_share == 0.25
    assert (config.ppo.use_gradient_clipping, config.ppo.max_grad_norm) == (False, 0.5)
    assert loaded.sources["GAELambda"] == "file"


def test_what_is_read_otherwise_or_ignored_is_told(load: Load) -> None:
    notes = "\n".join(load(JCWLEO).notes)
    for told in (
        "TrainMethod = RND: read as IntrinsicReward = RND",
        "Lambda = 0.95: read as GAELambda = 0.95",
        "ClipGradNorm = 0.5: read as MaxGradNorm = 0.5, which clips only with UseGradClipping",
        "StableEps = 1e-8: ignored",
        "UseGPU = True: ignored",
        "UseNoisyNet = False: ignored",
        "EnvType = [atari, mario]: ignored: a list of allowed values",
    ):
        assert told in notes


def test_a_file_of_the_representation_study_loads(load: Load) -> None:
    loaded = load(STUDY)
    config = loaded.config
    assert config.representation.kind == "None"
    assert config.representation.coef == 0.01
    assert config.representation.byol_hidden_size == 896
    assert config.representation.barlow_projection_sizes == (1024, 1024, 1024)
    assert (config.intrinsic.rnd_input, config.intrinsic.slow_rate) == ("pixels", 0.01)
    assert config.ppo.feature_size == 2048
    assert config.environment.frame_width == 64
    assert (config.ppo.use_gradient_clipping, config.ppo.max_grad_norm) == (True, 0.4)
    assert config.run.verbose_logging is True
    notes = "\n".join(loaded.notes)
    assert "BYOL_representationLossCoef = 1.0: ignored: the head is not BYOL" in notes


@pytest.mark.parametrize(("head", "coef"), [("BYOL", 0.5), ("Barlow-Twins", 0.25), ("byol", 0.5)])
def test_a_heads_own_loss_weight_counts_where_that_head_is_chosen(
    load: Load, head: str, coef: float
) -> None:
    loaded = load(
        "EnvType = atari\nBYOL_representationLossCoef = 0.5\n"
        "BarlowTwins_representationLossCoef = 0.25\n"
        f"representationLearningMethod = {head}"
    )
    assert loaded.config.representation.coef == coef


def test_a_head_chosen_on_the_command_line_decides_which_loss_weight_counts(load: Load) -> None:
    loaded = load(
        "EnvType = atari\nBYOL_representationLossCoef = 0.5\n"
        "BarlowTwins_representationLossCoef = 0.25\nrepresentationLearningMethod = BYOL",
        "RepresentationLearningParameter=Barlow-Twins",
    )
    assert loaded.config.representation.coef == 0.25


def test_a_loss_weight_of_the_command_line_is_of_the_files_head(load: Load) -> None:
    weights = ("BYOL_representationLossCoef=0.5", "BarlowTwins_representationLossCoef=0.25")
    for head in ("RepresentationLearningParameter", "representationLearningMethod"):
        loaded = load(f"{head} = BYOL\nRepresentationCoef = 0.1", *weights)
        assert loaded.config.representation.coef == 0.5
        assert "BarlowTwins_representationLossCoef=0.25: ignored: the head is not Barlow-" in (
            "\n".join(loaded.notes)
        )
    chosen = load("representationLearningMethod = BYOL", *weights, f"{head}=Barlow-Twins")
    assert chosen.config.representation.coef == 0.25


@pytest.mark.parametrize(
    ("file", "line", "read"),
    [
        ("TrainMethod = modified_RND", "TrainMethod=RND", ("RND", "pixels")),
        ("TrainMethod = modified_RND", "TrainMethod=original_RND", ("RND", "pixels")),
        ("TrainMethod = modified_RND", "TrainMethod=PPO", ("none", "pixels")),
        ("TrainMethod = modified_RND", "IntrinsicReward=none", ("none", "pixels")),
        ("TrainMethod = modified_RND", "IntrinsicReward=DRND", ("DRND", "features")),
        ("TrainMethod = PPO", "TrainMethod=modified_RND", ("RND", "features")),
        ("RNDInput = features", "TrainMethod=RND", ("RND", "pixels")),
        ("TrainMethod = RND\nRNDInput = features", "Seed=1", ("RND", "features")),
        ("TrainMethod = RND", "RNDInput=features", ("RND", "features")),
    ],
)
def test_a_method_says_what_its_bonus_looks_at_where_its_source_leaves_that_open(
    load: Load, file: str, line: str, read: tuple[str, str]
) -> None:
    section = load(file, line).config.intrinsic
    assert (section.kind, section.rnd_input) == read


def test_a_note_tells_what_of_a_method_was_taken(load: Load) -> None:
    (note,) = load("TrainMethod = RND\nRNDInput = features").notes
    assert "read as IntrinsicReward = RND; the details" in note


def test_modified_rnd_of_an_older_file_looks_at_the_policys_features(load: Load) -> None:
    section = load("TrainMethod = modified_RND").config.intrinsic
    assert (section.kind, section.rnd_input) == ("RND", "features")


@pytest.mark.parametrize(("value", "read"), [("original", "pixels"), ("Modified", "features")])
def test_the_input_of_rnd_has_its_older_names_too(load: Load, value: str, read: str) -> None:
    assert load(f"RNDInput = {value}").config.intrinsic.rnd_input == read


def test_plain_ppo_of_an_older_file_has_no_bonus(load: Load) -> None:
    assert load("TrainMethod = PPO").config.intrinsic.kind == "none"


def test_the_key_under_its_own_name_wins_over_the_older_one(load: Load) -> None:
    loaded = load("Lambda = 0.5\nGAELambda = 0.9")
    assert loaded.config.ppo.gae_lambda == 0.9
    assert "Lambda = 0.5: ignored: GAELambda is set" in loaded.notes[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("UseNoisyNet = True", "UseNoisyNet = True: this version has no noisy layers"),
        ("UseNorm = True", "UseNorm = True: set NormalizeAdvantage instead"),
        ("render = True", "render = True: environments have no window"),
        ("TrainMethod = ICM", "allowed: RND, original_RND, modified_RND, PPO"),
        ("SSL_pretraining = True", "set SSLPretraining to a number of gradient steps"),
        (
            "EnvType = classic_control\nEnvID = CartPole-v1\nrepresentationLearningMethod = BYOL",
            "learn from views of pixels",
        ),
        ("Lambda = 2", "Lambda = 2: is out of bounds; allowed: a number at least 0 and at most 1"),
        ("StableEps = 1\nStableEps = 1", "StableEps = 1: is set twice"),
    ],
)
def test_what_would_change_the_run_is_refused_with_the_reason(
    load: Load, text: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    assert told in str(caught.value)
