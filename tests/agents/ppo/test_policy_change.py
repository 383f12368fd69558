"""How far an update moved the policy, and that looking changes nothing."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian
from agents.ppo.policy_change import GREEDY_DROP, KL, PolicyChange
from agents.ranks import Ranks
from tests.agents.scripts import draw_script
from tests.agents.small import VECTOR, Kind, filled, make_agent, make_learner, settings_with


class TablePolicy(nn.Module):
    """Says of every observation, the number of a row, what the row holds."""

    def __init__(self, *rows: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(rows).log())

    def forward(self, observations: torch.Tensor) -> PolicyOutput:
        distribution = Categorical.from_logits(self.logits[observations])
        zeros = torch.zeros(len(observations))
        return PolicyOutput(distribution, zeros, zeros)


class GaussianPolicy(nn.Module):
    """The same normal distribution everywhere; its deviation is the parameter itself."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_std = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def forward(self, observations: torch.Tensor) -> PolicyOutput:
        n = len(observations)
        distribution: ActionDistribution = DiagonalGaussian.from_parameters(
            self.mean.expand(n, 2), self.log_std
        )
        return PolicyOutput(distribution, torch.zeros(n), torch.zeros(n))


def test_the_state_that_was_turned_over_shows_among_those_that_were_not() -> None:
    policy = TablePolicy([0.98, 0.01, 0.01], [0.2, 0.3, 0.5])
    change = PolicyChange(policy, nullcontext(), torch.tensor([1, 1, 0, 1]))
    after = torch.tensor([[0.02, 0.97, 0.01], [0.25, 0.25, 0.5]])
    with torch.no_grad():
        policy.logits.copy_(after.log())
    figures = change.figures(nullcontext())
    assert figures[GREEDY_DROP].item() == pytest.approx(0.96, abs=1e-6)
    before = torch.tensor([[0.98, 0.01, 0.01], [0.2, 0.3, 0.5]])
    each = (before * (before / after).log()).sum(dim=1)
    assert figures[KL].item() == pytest.approx(float(each[0] + 3 * each[1]) / 4, rel=1e-5)


@pytest.mark.parametrize("policy", [TablePolicy([0.6, 0.4]), GaussianPolicy()])
def test_looking_needs_no_gradient(policy: nn.Module) -> None:
    change = PolicyChange(policy, nullcontext(), torch.tensor([0]))
    assert not any(value.requires_grad for value in change.figures(nullcontext()).values())


def test_what_rises_has_not_fallen() -> None:
    policy = TablePolicy([0.6, 0.4])
    change = PolicyChange(policy, nullcontext(), torch.tensor([0]))
    with torch.no_grad():
        policy.logits.copy_(torch.tensor([[0.9, 0.1]]).log())
    assert change.figures(nullcontext())[GREEDY_DROP].item() == 0.0


def test_a_deviation_that_the_update_moves_is_compared_with_what_it_was() -> None:
    policy = GaussianPolicy()
    change = PolicyChange(policy, nullcontext(), torch.zeros(3))
    with torch.no_grad():
        policy.log_std.fill_(0.5)
    figures = change.figures(nullcontext())
    wanted = torch.distributions.kl_divergence(
        torch.distributions.Normal(0.0, 1.0),
        torch.distributions.Normal(0.0, torch.tensor(0.5).exp()),
    )
    assert figures.keys() == {KL}, "no action of a continuous policy has a probability"
    assert figures[KL].item() == pytest.approx(2 * wanted.item(), rel=1e-5)


def test_looking_draws_nothing_and_moves_nothing(
    ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(VECTOR)
    shape = kind.rollout_shape(16, 4)
    ends = []
    for looks in (True, False):
        settings = settings_with(epochs=2, num_minibatches=2)
        agent = make_agent(ranks, make_learner(kind, 4), settings=settings)
        if not looks:
            monkeypatch.setattr("agents.ppo.policy_change.PolicyChange.__init__", lambda *_: None)
            monkeypatch.setattr("agents.ppo.policy_change.PolicyChange.figures", lambda *_: {})
        metrics = agent.learn(filled(draw_script(shape, 0), shape))
        assert (KL in metrics) == looks
        ends.append((agent.learner.state_dict(), agent.generator.get_state()))
    (seen, seen_stream), (unseen, unseen_stream) = ends
    assert torch.equal(seen_stream, unseen_stream)
    assert [name for name, value in seen.items() if not torch.equal(value, unseen[name])] == []
