"""A gradient step of TD3: against one written from the paper, and on two ranks against one."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agents.networks.deterministic_actor import DeterministicActor
from agents.networks.twin_critic import TwinCritic
from agents.ranks import Ranks
from agents.replay.replay import Batch
from agents.replay.vector_replay import VectorReplay
from agents.steps.adam import FusedAdam
from agents.td3.td3_agent import TD3Agent, TD3Settings
from agents.td3.td3_learner import Critic, TD3Learner
from tests.ranks import only_rank, run_in_ranks

pytestmark = pytest.mark.timeout(300)

D, A, B, SIZES = 3, 2, 6, (16, 12)
SETTINGS = TD3Settings(
    gamma=0.9,
    target_tau=0.05,
    exploration_noise=0.1,
    target_noise=0.3,
    target_noise_clip=0.4,
    policy_delay=2,
    batch_size=B,
)
RATE = 1e-2
NUM_STEPS = 4


class Prepared(VectorReplay):
    """Gives batches that were written down; those of a rank are its rows of each."""

    def __init__(self, rows: slice = slice(None)) -> None:
        super().__init__(1, D, A, torch.device("cpu"))
        self._own = rows

    def sample(self, num_batches: int, batch_size: int, stream: torch.Generator) -> list[Batch]:
        return [Batch(*(part[self._own] for part in written(i))) for i in range(num_batches)]


def written(index: int) -> Batch:
    stream = torch.Generator().manual_seed(index)
    states, actions = torch.randn(2, B, D, generator=stream), torch.rand(B, A, generator=stream)
    rewards = torch.randn(B, generator=stream)
    continues = (torch.rand(B, generator=stream) > 0.3).float()
    return Batch(states[0], 2.0 * actions - 1.0, rewards, continues, states[1])


def make_agent(settings: TD3Settings = SETTINGS, seed: int = 0) -> TD3Agent:
    torch.manual_seed(0)
    critic = Critic(nn.Identity(), TwinCritic(D + A, SIZES))
    learner = TD3Learner(critic, DeterministicActor(D, SIZES, A), None)
    critics, actors = (
        FusedAdam([{"params": list(module.parameters()), "lr": RATE}], eps=1e-8)
        for module in (learner.critic, learner.actor)
    )
    streams = (torch.Generator().manual_seed(seed + i) for i in range(2))
    return TD3Agent(learner, critics, actors, settings, *streams)


def weights_of(agent: TD3Agent) -> dict[str, Tensor]:
    agent.settle()
    return {name: value.clone() for name, value in agent.learner.state_dict().items()}


def plain(values: Sequence[Tensor]) -> nn.Sequential:
    """Return torch's own layers with these weights [I, O] and biases [O] in turns."""
    layers: list[nn.Module] = []
    for weight, bias in zip(values[::2], values[1::2], strict=True):
        linear = nn.Linear(*weight.shape)
        linear.weight.data, linear.bias.data = weight.t().clone(), bias.reshape(-1).clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Reference:
    """Algorithm 1 of the paper with two critics of their own and torch's Adam."""

    def __init__(self, learner: TD3Learner) -> None:
        twins = [*learner.critic.twin.layers, learner.critic.twin.head]
        parts: list[list[Tensor]] = [
            [part[i].detach() for twin in twins for part in (twin.weight, twin.bias)]
            for i in range(2)
        ]
        self.critics = [plain(each) for each in parts]
        linears = [m for m in learner.actor.modules() if isinstance(m, nn.Linear)]
        self.actor = plain([p for m in linears for p in (m.weight.t(), m.bias)])
        self.slow_critics, self.slow_actor = copy.deepcopy((self.critics, self.actor))
        trained = [p for critic in self.critics for p in critic.parameters()]
        self.critic_adam = torch.optim.Adam(trained, lr=RATE)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), lr=RATE)

    def step(self, batch: Batch, noise: Tensor, number: int) -> None:
        states, actions, rewards, continues, following = batch
        with torch.no_grad():
            cut = (0.3 * noise).clamp(-0.4, 0.4)
            smoothed = (torch.tanh(self.slow_actor(following)) + cut).clamp(-1, 1)
            both = [c(torch.cat([following, smoothed], 1))[:, 0] for c in self.slow_critics]
            targets = rewards + 0.9 * continues * torch.minimum(*both)
        self.critic_adam.zero_grad()
        for critic in self.critics:
            value = critic(torch.cat([states, actions], 1))[:, 0]
            nn.functional.mse_loss(value, targets).backward()
        self.critic_adam.step()
        if number % 2:
            return
        self.actor_adam.zero_grad()
        chosen = torch.tanh(self.actor(states))
        (-self.critics[0](torch.cat([states, chosen], 1)).mean()).backward()
        self.actor_adam.step()
        pairs = [(self.slow_actor, self.actor), *zip(self.slow_critics, self.critics, strict=True)]
        for slow, online in pairs:
            for behind, ahead in zip(slow.parameters(), online.parameters(), strict=True):
                behind.data = 0.95 * behind.data + 0.05 * ahead.data


def test_gradient_steps_are_those_of_the_papers_algorithm() -> None:
    with only_rank():
        agent = make_agent()
        reference = Reference(agent.learner)
        agent.learn(Prepared(), NUM_STEPS)
    noise = torch.randn(NUM_STEPS, B, A, generator=torch.Generator().manual_seed(1))
    for number in range(NUM_STEPS):
        reference.step(written(number), noise[number], number + 1)
    states = torch.randn(20, D)
    learner = agent.learner
    for ours, slow in ((learner.critic, False), (learner.slow_critic, True)):
        critics = reference.slow_critics if slow else reference.critics
        actor = reference.slow_actor if slow else reference.actor
        own = learner.slow_actor if slow else learner.actor
        inputs = torch.cat([states, torch.rand(20, A)], 1)
        found = ours.twin(inputs)
        for i in range(2):
            torch.testing.assert_close(found[i], critics[i](inputs)[:, 0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(own(states), torch.tanh(actor(states)), rtol=1e-4, atol=1e-5)


def test_the_actor_and_the_slow_copies_wait_for_their_turn() -> None:
    with only_rank():
        agent = make_agent(replace(SETTINGS, policy_delay=3))
        before = weights_of(agent)
        agent.learn(Prepared(), 2)
        between = weights_of(agent)
        agent.learn(Prepared(), 1)
        after = weights_of(agent)
    assert not any(p.requires_grad for p in agent.learner.slow_critic.parameters())
    for name in before:
        moves_at_once = name.startswith("critic.") or name == "gradient_steps"
        assert torch.equal(before[name], between[name]) != moves_at_once, name
        assert not torch.equal(between[name], after[name]), name


def test_actions_vary_by_the_exploration_noise_and_stay_within_reach() -> None:
    with only_rank():
        agent = make_agent()
        states = torch.randn(2_000, D)
        noise = agent.act(states) - agent.learner.act(states)
        assert float(agent.act(1e3 * states).abs().max()) <= 1.0
        drawn = agent.act_at_random(10_000, A)
    assert float(noise.std()) == pytest.approx(0.1, abs=0.005)
    assert float(drawn.abs().max()) <= 1.0
    assert float(drawn.std()) == pytest.approx(1 / 3**0.5, abs=0.02)


def learnt(rows: slice) -> dict[str, Any]:
    """Learn without the target's noise, of which each rank would draw another."""
    agent = make_agent(replace(SETTINGS, target_noise=0.0))
    losses = agent.learn(Prepared(rows), NUM_STEPS)
    gradients = {name: p.grad for name, p in agent.learner.named_parameters() if p.requires_grad}
    return {"losses": losses, "gradients": gradients, "weights": weights_of(agent)}


def half(ranks: Ranks) -> dict[str, Any]:
    share = B // ranks.world_size
    return learnt(slice(ranks.rank * share, (ranks.rank + 1) * share))


def test_two_ranks_learn_what_one_does_from_their_joined_batches(tmp_path: Path) -> None:
    results = run_in_ranks(half, 2, tmp_path)
    with only_rank():
        joined = learnt(slice(None))
    for name, wanted in joined["losses"].items():
        found = torch.stack([torch.stack(each["losses"][name]) for each in results]).mean(dim=0)
        torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-4, atol=1e-5)
    for each in results:
        for what in ("gradients", "weights"):
            for name, value in joined[what].items():
                torch.testing.assert_close(each[what][name], value, rtol=1e-3, atol=1e-5)


def halves_and_whole(ranks: Ranks) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of an agent that learnt at once, and of one that went on from half."""
    share = B // ranks.world_size
    replay = Prepared(slice(ranks.rank * share, (ranks.rank + 1) * share))
    whole, resumed = (make_agent(replace(SETTINGS, target_noise=0.0)) for _ in range(2))
    for agent in (whole, resumed):
        before = weights_of(agent)
        agent.rehearse(torch.ones(2, D), A)
        assert all(torch.equal(before[name], value) for name, value in weights_of(agent).items())
        assert all(parameter.grad is None for parameter in agent.learner.parameters())
    whole.learn(replay, NUM_STEPS // 2)
    whole.settle()
    resumed.learner.load_state_dict(whole.learner.state_dict())
    resumed.critic_optimizer.load_state_dict(copy.deepcopy(whole.critic_optimizer.state_dict()))
    resumed.actor_optimizer.load_state_dict(copy.deepcopy(whole.actor_optimizer.state_dict()))
    resumed.resume()
    for agent in (whole, resumed):
        agent.learn(replay, NUM_STEPS // 2)
    return weights_of(whole), weights_of(resumed)


def test_three_ranks_that_go_on_sum_in_the_order_of_those_that_did_not_stop(tmp_path: Path) -> None:
    for whole, resumed in run_in_ranks(halves_and_whole, 3, tmp_path):
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
