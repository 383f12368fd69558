"""CustomModel: what becomes the policy, and what is refused in one message."""

import hashlib
import math
import re
import shutil
from pathlib import Path

import gymnasium
import pytest
import torch
from torch import nn

from agents.custom_policy import CustomPolicy
from agents.networks.distributions import Categorical, DiagonalGaussian
from configs.errors import ConfigurationError
from configs.loading import config_from_mapping
from tests.agents.small import assert_all_equal, drawn_from, parameters_of
from tests.architecture.test_floors import ROOT
from training.building.custom_model import build_custom_policy
from training.building.custom_source import FACT, STATE, facts_of
from training.building.learner import build_learner
from workers.environments.base import EnvironmentSpec
from workers.environments.make import make_environment
from workers.environments.parts.actions import in_units

VECTORS = EnvironmentSpec(
    "made up",
    (4,),
    "float32",
    discrete=True,
    num_actions=3,
    observation_low=(-1.0,) * 4,
    observation_high=(3.0,) * 4,
)
REACHING = EnvironmentSpec(
    "made up",
    (4,),
    "float32",
    discrete=False,
    num_actions=2,
    action_low=(-2.0, -math.inf),
    action_high=(2.0, math.inf),
)
FRAMES = EnvironmentSpec("made up", (1, 36, 36), "uint8", discrete=True, num_actions=3)
KEYS = {
    "EnvType": "classic_control",
    "EnvID": "CartPole-v1",
    "IntrinsicReward": "none",
    "ObservationScaling": "none",
    "CustomModel": "net",
}
# A model whose parts a test may replace.
MODEL = """\
import torch
from torch import nn

class CustomModel(nn.Module):
    def __init__(self, seen, acted, num_outputs, told):
        super().__init__()
        self.told = told, seen, acted
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(seen.shape[0], 8), nn.Tanh())
        self.policy, self.critic = nn.Linear(8, num_outputs), nn.Linear(8, 1)

    def forward(self, observations):
        h = self.body(observations)
        return self.policy(h), self.critic(h)[:, 0]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with an empty models/."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(source: str) -> None:
    Path("models/net.py").write_text(source)


def build(spec: EnvironmentSpec = VECTORS, **keys: str) -> CustomPolicy:
    with drawn_from(0):
        return build_custom_policy(config_from_mapping(KEYS | keys), spec)


def refused(spec: EnvironmentSpec = VECTORS, **keys: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        build(spec, **keys)
    return str(caught.value)


def test_it_is_made_with_the_spaces_and_what_the_recipe_tells() -> None:
    write(MODEL)
    policy = build(CustomModelConfig='{"a": [1, {"b": null}]}')
    told, seen, acted = policy.model.told  # type: ignore[misc]
    assert told == {"a": [1, {"b": None}]}
    assert acted == gymnasium.spaces.Discrete(3)
    assert isinstance(seen, gymnasium.spaces.Box)
    assert (seen.low[0], seen.high[0], seen.shape) == (-1.0, 3.0, (4,))
    output = policy(torch.zeros(5, 4))
    assert isinstance(output.distribution, Categorical)
    assert output.value_extrinsic.shape == (5,)
    assert not output.value_intrinsic.any()


@pytest.mark.parametrize(("mapping", "high"), [("auto", 1.0), ("bounds", 1.0), ("clip", 2.0)])
def test_its_action_space_is_that_of_its_outputs(mapping: str, high: float) -> None:
    """A model that ends in high * tanh reaches the environment's bounds, and no further."""
    write(MODEL)
    keys = {"EnvID": "Pendulum-v1", "ActionMapping": mapping}
    environment = make_environment(config_from_mapping(KEYS | keys).environment)
    spec = environment.environment_spec
    _, _, acted = build(spec, **keys).model.told  # type: ignore[misc]
    assert (acted.low.tolist(), acted.high.tolist()) == ([-high], [high])
    assert acted == environment.action_space
    for part in (-1.0, 0.5, 1.0):
        assert in_units(spec, part * acted.high) == 2.0 * part


def test_continuous_actions_have_means_and_deviations() -> None:
    write(MODEL)
    policy = build(REACHING)
    seen = torch.rand(5, 4)
    distribution = policy(seen).distribution
    assert isinstance(distribution, DiagonalGaussian)
    outputs = policy.model(seen)[0]
    assert torch.equal(distribution.mean, outputs[:, :2])
    assert torch.equal(distribution.log_std, outputs[:, 2:])
    assert distribution.log_prob(torch.zeros(5, 2)).shape == (5,)


def test_frames_come_stacked_as_numbers_of_0_to_255() -> None:
    source = MODEL.replace("seen.shape[0], 8", "4 * 36 * 36, 8")
    source = source.replace("h = self", "assert observations.dtype == torch.float32; h = self")
    write(source)
    keys = {"EnvType": "atari", "EnvID": "Pong", "PreProcHeight": "36", "PreProcWidth": "36"}
    policy = build(FRAMES, **keys, ThirdKernel="3", ObservationScaling="auto")
    frames = torch.full((2, 4, 36, 36), 255, dtype=torch.uint8)
    assert torch.equal(policy(frames).value_extrinsic, policy(frames.float()).value_extrinsic)


def test_with_a_bonus_there_are_two_values() -> None:
    write(MODEL.replace("nn.Linear(8, 1)", "nn.Linear(8, 2)").replace("[:, 0]", ""))
    policy = build(IntrinsicReward="RND")
    output = policy(torch.rand(5, 4))
    assert not torch.equal(output.value_extrinsic, output.value_intrinsic)
    write(MODEL)
    assert "forward returned values of a tensor [3] for 3 observations, and [3, 2] is" in refused(
        IntrinsicReward="RND"
    )


def test_the_trial_moves_no_stream_and_no_buffer() -> None:
    counting = MODEL.replace("    def forward(self, observations):\n", "").replace(
        "        h = self.body",
        "        self.register_buffer('seen', torch.zeros(1))\n"
        "    def forward(self, observations):\n        self.seen += 1\n        h = self.body",
    )
    write(counting)
    policy = build()
    assert policy.model.seen == 0
    with drawn_from(0):
        kind = type(policy.model)
        made = kind(gymnasium.spaces.Box(-1, 1, (4,)), None, 3, {})
        assert_all_equal(parameters_of(made), parameters_of(policy.model))
        after = torch.rand(1)
    with drawn_from(0):
        build_custom_policy(config_from_mapping(KEYS), VECTORS)
        assert torch.equal(torch.rand(1), after)


def test_it_learns_among_the_learners_parts_and_its_file_is_told_of() -> None:
    write(MODEL)
    with drawn_from(0):
        learner = build_learner(config_from_mapping(KEYS), VECTORS, 2)
    assert isinstance(learner.policy, CustomPolicy)
    digest = hashlib.sha256(Path("models/net.py").read_bytes()).hexdigest()
    assert facts_of(learner.policy) == {FACT: digest, STATE: []}
    assert facts_of(nn.Linear(1, 1)) == {}


REFUSED = {
    "no class": ("CustomModel", "Custom", "has no class CustomModel"),
    "no module": ("(nn.Module)", "", "no torch.nn.Module"),
    "a function": (
        "class CustomModel(nn.Module):",
        "def CustomModel(*_):",
        "has no class CustomModel",
    ),
    "other arguments": (", told)", ")", "CustomModel(...) raised"),
    "doubles": ("nn.Linear(8, num_outputs)", "nn.Linear(8, num_outputs).double()", "float32"),
    "lazy": ("nn.Linear(8, num_outputs)", "nn.LazyLinear(num_outputs)", "no size before"),
    "three": ("[:, 0]", "[:, 0], 1", "forward returned a tuple of 3; it returns two tensors"),
    "one": ("return self.policy(h), self.critic(h)[:, 0]", "return h", "returned a tensor [3, 8]"),
    "a column": ("[:, 0]", "", "values of a tensor [3, 1] for 3 observations, and [3] is wanted"),
    "few outputs": ("8, num_outputs", "8, 2", "outputs of a tensor [3, 2] for 3 observations"),
    "one row": ("self.policy(h),", "self.policy(h)[:1],", "outputs of a tensor [1, 3] for 3"),
    "always three": (
        "self.policy(h),",
        "self.policy(h[[0]].expand(3, 8)),",
        "outputs of a tensor [3, 3] for 2 observations",
    ),
    "no number": ("self.policy(h),", "self.policy(h) / 0.0 * 0.0,", "not finite"),
    "dropout": ("nn.Tanh()", "nn.Tanh(), nn.Dropout(0.5)", "two answers to the same"),
    "batch norm": ("nn.Tanh()", "nn.Tanh(), nn.BatchNorm1d(8)", "depends on the others of the"),
    "idle": (
        "self.policy, ",
        "self.idle = nn.Linear(2, 2); self.policy, ",
        "depend on idle.weight",
    ),
    "frozen": (
        "    def forward",
        "        self.requires_grad_(False)\n    def forward",
        "no parameters that are trained",
    ),
    "syntax": ("import torch\n", "import torch\nif\n", "SyntaxError"),
    "import": ("import torch\n", "import torch\nimport no_such_thing\n", "no_such_thing"),
    "exit": ("import torch\n", "import torch\nraise SystemExit(0)\n", "SystemExit"),
    "its own": ("h = self.body(", "h = self.bdy(", "forward raised"),
}


@pytest.mark.parametrize(("before", "after", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_policy_is_refused_in_one_message(
    before: str, after: str, said: str
) -> None:
    assert before in MODEL
    write(MODEL.replace(before, after))
    message = refused()
    assert message.startswith("models/net.py: ")
    assert said in message
    assert "custom_policy.py" not in message  # no line of ours


def test_the_users_own_traceback_is_shown_once() -> None:
    write(MODEL.replace("h = self.body(", "h = self.bdy("))
    message = refused()
    assert message.count('File "models/net.py", line 12, in forward') == 1
    assert message.count("AttributeError: 'CustomModel' object has no attribute 'bdy'") == 1


def test_a_file_that_is_missing_is_named_with_the_folder(here: Path) -> None:
    assert refused() == (
        "CustomModel = net: models/net.py cannot be read (No such file or directory) in the "
        f"current folder ({here})"
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"CustomModelConfig": "{1}"}, "is no JSON object"),
        ({"CustomModelConfig": '{"a": 1, "a": 2}'}, "is no JSON object"),
        ({"CustomModelConfig": "[1]"}, "is no JSON object"),
        ({"CustomModel": "../net"}, "CustomModel"),
        ({"CustomModel": "none", "CustomModelConfig": '{"a": 1}'}, "without CustomModel"),
        ({"RNDInput": "features"}, "RNDInput = features: that is about the policy's own network"),
        ({"Backbone": "encoder:x", "Representation": "frozen"}, "Backbone = encoder:x: that is"),
    ],
)
def test_keys_that_do_not_go_with_it_are_refused(keys: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        config_from_mapping(KEYS | keys)


def test_what_the_file_imports_may_lie_beside_it() -> None:
    shutil.copy(ROOT / "models" / "customnet.py", "models/custom_base.py")
    Path("models/net.py").write_text("from models.custom_base import CustomModel\n")
    assert build(CustomModelConfig='{"hidden": 5}').model.policy.in_features == 5  # type: ignore[union-attr]


@pytest.mark.parametrize("example", ["customnet", "customrnn"])
def test_a_misspelt_key_is_refused_by_the_examples(example: str) -> None:
    shutil.copy(ROOT / "models" / f"{example}.py", "models/net.py")
    with pytest.raises(
        ConfigurationError, match=r"models/net.py: CustomModel\(...\) raised"
    ) as told:
        build(CustomModelConfig='{"hiden": 64}')
    assert "unexpected keyword argument 'hiden'" in str(told.value)
