"""CustomModel with get_initial_state: a policy that remembers, or one message why it is none."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.networks.recurrent_actor_critic import Sequences, memory_size
from agents.recurrent.custom_policy import RecurrentCustomPolicy
from agents.recurrent.rollout import RecurrentRollout
from configs.errors import CheckpointError, ConfigurationError
from configs.loading import config_from_mapping
from tests.agents.small import drawn_from
from tests.training.building.test_custom_model import FRAMES, KEYS, VECTORS
from training.building.custom_model import build_custom_policy, try_custom_model
from training.building.custom_source import check_state, facts_of
from training.building.learner import build_learner, rollout_shape
from workers.environments.base import EnvironmentSpec

# A model whose parts a test may replace; it remembers the output of a cell and a sum of [2, 2].
MODEL = """\
import torch
from torch import nn

class CustomModel(nn.Module):
    def __init__(self, seen, acted, num_outputs, told):
        super().__init__()
        self.cell = nn.GRUCell(seen.shape[0], 8)
        self.policy, self.critic = nn.Linear(9, num_outputs), nn.Linear(9, 1)

    def get_initial_state(self):
        return [torch.zeros(8), torch.zeros(2, 2)]

    def forward(self, observations, state):
        h, total = state
        steps = []
        for seen in observations:
            h = self.cell(seen.flatten(1)[:, :self.cell.input_size], h)
            total = total + seen.flatten(1)[:, 0, None, None]
            steps.append(torch.cat([h, total.mean(dim=(1, 2))[:, None]], dim=1))
        rows = torch.stack(steps)
        return self.policy(rows), self.critic(rows)[..., 0], [h, total]
"""
MEMORY = 8 + 4


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with an empty models/."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)


def build(source: str, spec: EnvironmentSpec = VECTORS, **keys: str) -> RecurrentCustomPolicy:
    Path("models/net.py").write_text(source)
    with drawn_from(0):
        policy = build_custom_policy(config_from_mapping(KEYS | {"MiniBatch": "1"} | keys), spec)
    assert isinstance(policy, RecurrentCustomPolicy)
    return policy


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("spec", [VECTORS, FRAMES], ids=["vectors", "frames"])
def test_along_a_sequence_it_says_what_it_says_step_by_step_and_forgets_at_starts(
    spec: EnvironmentSpec,
) -> None:
    L, B = 6, 3
    frames = {"EnvType": "atari", "EnvID": "Pong", "PreProcHeight": "36", "PreProcWidth": "36"}
    keys = frames | {"ThirdKernel": "3", "ObservationScaling": "auto"} if spec is FRAMES else {}
    policy = build(MODEL, spec, **keys)
    assert memory_size(policy) == MEMORY
    shape = (4, 36, 36) if spec is FRAMES else (4,)
    seen = drawn(L * B, *shape)
    if spec is FRAMES:
        seen = (100 + 20 * seen).clamp(0, 255).to(torch.uint8)
    starts = torch.zeros(L, B, dtype=torch.bool)
    starts[2, 0] = starts[3, 0] = starts[0, 1] = True
    memory = drawn(B, MEMORY)
    whole = policy(Sequences(seen, memory, starts))
    said, values = [], []
    for t, observations in enumerate(seen.split(B)):
        output = policy(Sequences(observations, memory, starts[t : t + 1]))
        assert output.memory is not None
        memory = output.memory
        said.append(output.distribution.log_probs)
        values.append(output.value_extrinsic)
    torch.testing.assert_close(whole.distribution.log_probs, torch.cat(said))
    torch.testing.assert_close(whole.value_extrinsic, torch.cat(values))


def test_the_learners_rollout_keeps_as_much_as_it_remembers() -> None:
    Path("models/net.py").write_text(MODEL)
    config = config_from_mapping(KEYS | {"MiniBatch": "1"})
    with drawn_from(0):
        learner = build_learner(config, VECTORS, 2)
    rollout = learner.new_rollout(rollout_shape(config, VECTORS, 2), torch.device("cpu"))
    assert isinstance(rollout, RecurrentRollout)
    assert rollout.shape.memory_size == MEMORY


def test_under_autocast_what_it_remembers_is_float32() -> None:
    policy, seen = build(MODEL), drawn(3, 4)
    wanted = policy.step(seen, torch.zeros(3, MEMORY)).memory
    with torch.autocast("cpu", torch.bfloat16):
        found = policy.step(seen, torch.zeros(3, MEMORY)).memory
    assert found is not None
    assert torch.equal(found, wanted)  # type: ignore[arg-type] # it remembers


STATE = "return [torch.zeros(8), torch.zeros(2, 2)]"
REFUSED = {
    "no state from forward": (
        ", [h, total]\n",
        "\n",
        "forward returned a tuple of 2; with get_initial_state it returns three, (outputs, "
        "values, state), a state being a list of tensors; here of [4, 3, 3], [4, 3] and "
        "[[3, 8], [3, 2, 2]]",
    ),
    "a state too few": (
        "[h, total]\n",
        "[h]\n",
        "forward returned a list of 1 as the state, and a list of 2 as from get_initial_state",
    ),
    "a state that is none": ("[h, total]\n", "h\n", "a tensor [3, 8] as the state"),
    "a state of another shape": (
        "[h, total]\n",
        "[h[:, :5], total]\n",
        "forward returned state 0 of a tensor [3, 5] for 4 x 3 observations, and [3, 8] is wanted",
    ),
    "a state that is no tensor": ("[h, total]\n", "[h, None]\n", "state 1 of a NoneType"),
    "one step's outputs": (
        "self.policy(rows),",
        "self.policy(rows)[-1],",
        "outputs of a tensor [3, 3] for 4 x 3 observations, and [4, 3, 3] is wanted",
    ),
    "values with a column": ("[..., 0], [h", ", [h", "values of a tensor [4, 3, 1] for 4 x 3"),
    "batch first": (
        "for seen in observations:",
        "for seen in observations.transpose(0, 1)[:, :1].expand(-1, 3, -1):",
        "observations",
    ),
    "no initial state": (STATE, "return []", "get_initial_state returned a list of 0, and a list"),
    "a lone tensor": (STATE, "return torch.zeros(8)", "get_initial_state returned a tensor [8]"),
    "an array": (STATE, "return [8, 4]", "get_initial_state returned a int as state 0"),
    "doubles": (STATE, "return [torch.zeros(8).double()]", "a tensor [8] of torch.float64 as"),
    "not from zero": (STATE, "return [torch.ones(8)]", "returned numbers other than zero as state"),
    "it raises": (STATE, "return self.start", "get_initial_state raised\n"),
    "forgotten": ("[h, total]\n", "[0 * h, total]\n", "forward says something else of 4 steps"),
    "it looks ahead": (
        "rows = torch.stack(steps)",
        "rows = torch.stack(steps).flip(0)",
        "forward says something else of 4 steps",
    ),
    "nobody begins": (
        "def get_initial_state",
        "def initial_state",
        "forward asks for observations, state, and CustomModel has no get_initial_state",
    ),
    "no state asked for": (
        "def forward(self, observations, state):",
        "def forward(self, observations):",
        "forward raised\n",
    ),
    "as long as a few steps alone": (
        "h, total = state",
        "h, total = state; assert len(observations) < 5, 'too long'",
        "forward raised\n",
    ),
    "idle": ("self.policy, ", "self.idle = nn.Linear(2, 2); self.policy, ", "depend on idle"),
    "of the batch": ("h, total = state", "h, total = state; h = h + observations[0].mean()", "of"),
}


@pytest.mark.parametrize(("before", "after", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_such_a_policy_is_refused_in_one_message(
    before: str, after: str, said: str
) -> None:
    assert before in MODEL
    with pytest.raises(ConfigurationError) as caught:
        build(MODEL.replace(before, after))
    message = str(caught.value)
    assert message.startswith("models/net.py: ")
    assert said in message
    assert "custom_policy.py" not in message  # no line of ours


def test_more_minibatches_than_environments_are_refused() -> None:
    """In training alone: whoever plays makes no minibatches."""
    keys = {"NumEnv": "2", "MiniBatch": "4"}
    build(MODEL, NumEnv="2", MiniBatch="4")
    said = "models/net.py: get_initial_state with NumEnv = 2 and MiniBatch = 4: a minibatch is"
    with pytest.raises(ConfigurationError, match=said):
        try_custom_model(config_from_mapping(KEYS | keys), VECTORS)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("[torch.zeros(8), torch.zeros(4)]", "2 tensors, [8] and [4]"),
        (
            "[torch.zeros(8), torch.zeros(2, 2), torch.zeros(1)]",
            "3 tensors, [8] and [2, 2] and [1]",
        ),
    ],
)
def test_a_start_that_has_changed_since_a_checkpoint_is_refused_with_both(
    start: str, said: str
) -> None:
    """Also where as many numbers are remembered, which would be taken for others."""
    facts = facts_of(build(MODEL))
    check_state(facts, build(MODEL))
    check_state({}, build(MODEL))  # written before it was told
    source = MODEL.replace("[torch.zeros(8), torch.zeros(2, 2)]", start).replace(
        "h, total = state", "(h, total), rest = state[:2], state[2:]; total = total.view(-1, 2, 2)"
    )
    source = source.replace("[h, total]\n", "[h, total.reshape(state[1].shape), *rest]\n")
    with pytest.raises(CheckpointError) as caught:
        check_state(facts, build(source))
    assert str(caught.value) == (
        "its model remembered 2 tensors, [8] and [2, 2]; get_initial_state in "
        f"models/net.py now returns {said}; change the file back, or train anew under another name"
    )
