"""A policy that remembers is shown in learning what it was shown as it acted."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.reward_induced import RecurrentEncoder
from agents.networks.actor_critic import PolicyOutput
from agents.networks.recurrent_actor_critic import RecurrentActorCritic, RecurrentPolicy, Sequences
from agents.networks.recurrent_core import CORES
from agents.ppo.ppo_agent import PPOAgent
from agents.ppo.targets import compute_targets
from agents.ranks import Ranks
from agents.recurrent.recollection import recollection
from agents.recurrent.rollout import EncodedRecurrentRollout, RecurrentRollout
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import Script, draw_script
from tests.agents.small import (
    DISCOUNTING,
    FRAME,
    VECTOR,
    Kind,
    drawn_from,
    make_agent,
    make_learner,
    settings_with,
)

CPU = torch.device("cpu")
T, N = 9, 5
KINDS = {
    "vectors": Kind(VECTOR, memory="GRU"),
    "frames": Kind(FRAME, discrete=False, memory="LSTM"),
    "a model of the user's": Kind(VECTOR, memory="LSTM", custom=True),
}
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
WHOLE, GROUPS = [slice(0, N)], [slice(0, 2), slice(2, N)]


def agent_of(ranks: Ranks, kind: Kind, **settings: int) -> PPOAgent:
    learner = make_learner(kind, N)
    return make_agent(ranks, learner, settings=settings_with(**settings))


def play(
    agent: PPOAgent, rollout: RolloutBuffer, script: Script, groups: Sequence[slice] = WHOLE
) -> None:
    """Let the agent act on what `script` shows."""
    for t in range(len(script.rewards)):
        for envs in groups:
            decision = agent.act(rollout.policy_input(t, envs))
            rollout.store_decision(t, envs, *decision)
            parts = (script.observations, script.rewards, script.terminated, script.truncated)
            rollout.store_transition(t, envs, *(p[t, envs] for p in (*parts, script.finals)))


def played(agent: PPOAgent, kind: Kind, count: int = 2) -> tuple[RolloutBuffer, Script]:
    """Return the last of `count` rollouts in a row, and its script."""
    rollout = agent.learner.new_rollout(kind.rollout_shape(T, N), CPU)
    for seed in range(count):
        script = draw_script(rollout.shape, seed)
        if seed:
            rollout.carry_over()
        else:
            rollout.start(script.first)
        play(agent, rollout, script)
    return rollout, script


@EACH
@pytest.mark.parametrize("num_minibatches", [1, 2, 5])
def test_before_the_first_step_learning_finds_the_probabilities_that_acting_had(
    ranks: Ranks, kind: Kind, num_minibatches: int
) -> None:
    """Over episodes' ends and from one rollout to the next."""
    agent = agent_of(ranks, kind)
    rollout, _ = played(agent, kind)
    parts = rollout.partition(num_minibatches, agent.generator)
    assert torch.equal(torch.cat(list(parts)).sort().values, torch.arange(T * N))
    assert max(map(len, parts)) - min(map(len, parts)) in (0, T)
    for samples in parts:
        inputs = rollout.policy_inputs(samples, rollout.observations(samples))
        output = agent.learner.policy(inputs)
        actions = rollout.actions.flatten(0, 1)[samples]
        torch.testing.assert_close(
            output.distribution.log_prob(actions), rollout.log_probs.flatten()[samples]
        )
        torch.testing.assert_close(
            output.value_extrinsic, rollout.values_extrinsic.flatten()[samples]
        )


@EACH
def test_the_memory_is_each_environments_own_whatever_group_it_acts_in(
    ranks: Ranks, kind: Kind
) -> None:
    agent = agent_of(ranks, kind)
    shape = kind.rollout_shape(T, N)
    script = draw_script(shape, 0)
    rollouts = [RecurrentRollout(shape, CPU) for _ in range(2)]
    for rollout, groups in zip(rollouts, (WHOLE, GROUPS), strict=True):
        agent.generator.manual_seed(0)
        rollout.start(script.first)
        play(agent, rollout, script, groups)
    one, other = (rollout.end_state().named()["policy_memory"] for rollout in rollouts)
    torch.testing.assert_close(one, other)


@EACH
def test_what_follows_is_valued_with_what_is_remembered_there(ranks: Ranks, kind: Kind) -> None:
    """A cut episode at its true last observation, after all that came before it."""
    agent = agent_of(ranks, kind)
    rollout, script = played(agent, kind, count=1)
    policy = agent.learner.policy
    assert isinstance(policy, RecurrentPolicy)
    shown = RolloutBuffer(rollout.shape, CPU)  # stacks frames
    shown.start(script.first)
    script.fill(shown)
    asked: list[Tensor] = []

    def values_of(inputs: Sequences) -> tuple[Tensor, Tensor]:
        asked.append(agent.values_of(inputs)[0])
        return agent.values_of(inputs)

    compute_targets(rollout, torch.zeros(T, N), values_of, DISCOUNTING)  # type: ignore[arg-type]
    at_end, at_cuts = asked
    cut = shown.truncated_samples()
    assert len(cut) > 1

    def value_after(n: int, start: int, stop: int, last: Tensor) -> PolicyOutput:
        """Judge an episode's observations start .. stop - 1 and then `last`, from nothing."""
        row = torch.zeros(1, rollout.shape.memory_size)
        for t in range(start, stop):
            samples = torch.tensor([t * N + n])
            after = policy.step(shown.observations(samples), row).memory
            assert after is not None
            row = after
        return policy.step(last, row)

    starts = [[0] for _ in range(N)]
    for t, n in script.ended.nonzero().tolist():
        starts[n].append(t + 1)
    for value, sample in zip(at_cuts, cut, strict=True):
        t, n = divmod(int(sample), N)
        start = max(s for s in starts[n] if s <= t)
        last = shown.final_observations(sample.unsqueeze(0))
        found = value_after(n, start, t + 1, last).value_extrinsic[0]
        torch.testing.assert_close(value, found)
    for n in range(N):
        last = shown.observation(T, slice(n, n + 1))
        found = value_after(n, starts[n][-1], T, last).value_extrinsic[0]
        torch.testing.assert_close(at_end[n], found)


@EACH
def test_what_is_remembered_goes_on_from_rollout_to_rollout_and_through_a_checkpoint(
    ranks: Ranks, kind: Kind
) -> None:
    agent = agent_of(ranks, kind)
    rollout, script = played(agent, kind)
    full = rollout.contents()
    copied = agent.learner.new_rollout(rollout.shape, CPU)
    copied.restore_contents({name: tensor.clone() for name, tensor in full.items()})
    end, same = rollout.end_state().named(), copied.end_state().named()
    assert end.keys() == same.keys()
    assert all(torch.equal(end[name], same[name]) for name in end)
    memory = end["policy_memory"]
    ended = script.ended[-1]
    assert ended.any()
    assert not ended.all()
    assert memory[ended].abs().sum() == 0
    assert (memory[~ended].abs().sum(dim=1) > 0).all()
    rollout.carry_over()
    assert torch.equal(rollout.policy_input(0, slice(0, N)).memory, memory)  # type: ignore[union-attr]
    rollout.start(script.first)
    assert rollout.carried_state().named()["policy_memory"].abs().sum() == 0


def test_random_play_leaves_nothing_to_remember() -> None:
    rollout = RecurrentRollout(Kind(memory="GRU").rollout_shape(T, N), CPU)
    script = draw_script(rollout.shape, 0)
    rollout.start(script.first)
    nothing = torch.zeros(N)
    rollout.store_decision(0, slice(0, N), script.actions[0], nothing, nothing, nothing)
    assert rollout.policy_input(1, slice(0, N)).memory.abs().sum() == 0


@EACH
def test_rows_of_another_episode_change_no_bit_of_what_is_learnt_from_the_later_ones(
    ranks: Ranks, kind: Kind
) -> None:
    agent = agent_of(ranks, kind)
    policy = agent.learner.policy
    rollout, _ = played(agent, kind)
    begin = 4
    rollout.terminated[begin - 1] = True
    samples = torch.arange(T * N)
    inputs = rollout.policy_inputs(samples, rollout.observations(samples))
    assert isinstance(inputs, Sequences)

    def learnt(inputs: Sequences) -> list[Tensor]:
        policy.zero_grad()
        output = policy(inputs)
        later = slice(begin * N, None)
        log_probs = output.distribution.log_prob(rollout.actions.flatten(0, 1))[later]
        values = output.value_extrinsic[later], output.value_intrinsic[later]
        loss = (log_probs.exp() + values[0].square() + values[1].square()).sum()
        loss.backward()
        return [loss.detach(), log_probs.detach(), *(p.grad for p in policy.parameters())]

    observations = inputs.observations.clone()
    observations[: begin * N] = 255 if observations.dtype == torch.uint8 else 1e4
    poisoned = Sequences(observations, inputs.memory - 50.0, inputs.starts)
    wanted, found = learnt(inputs), learnt(poisoned)
    assert len(found) > 10
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@EACH
def test_a_minibatch_is_whole_sequences_of_single_environments(ranks: Ranks, kind: Kind) -> None:
    agent = agent_of(ranks, kind)
    rollout, script = played(agent, kind)
    samples = rollout.partition(3, agent.generator)[0]
    envs = samples[: len(samples) // T]
    assert torch.equal(samples, (torch.arange(T).unsqueeze(1) * N + envs).flatten())
    inputs = rollout.policy_inputs(samples, rollout.observations(samples))
    assert isinstance(inputs, Sequences)
    assert torch.equal(inputs.starts[1:], script.ended[:-1, envs])
    assert not inputs.starts[0].any()
    assert not inputs.memory.requires_grad


def test_a_head_and_the_policys_change_look_at_samples_of_all_times(ranks: Ranks) -> None:
    rollout = RecurrentRollout(Kind(memory="GRU").rollout_shape(64, 2), CPU)
    few = torch.arange(128)[rollout.positions(32, 128, torch.Generator().manual_seed(0))]
    assert len(few.unique()) == 32
    assert few.max() > 100
    assert few.min() < 28


@EACH
def test_all_of_it_learns(ranks: Ranks, kind: Kind) -> None:
    agent = agent_of(ranks, kind, epochs=2, num_minibatches=3)
    rollout, _ = played(agent, kind)
    before = {name: value.clone() for name, value in agent.learner.policy.named_parameters()}
    agent.learn(rollout)
    after = dict(agent.learner.policy.named_parameters())
    assert [name for name in before if torch.equal(before[name], after[name])] == []


@pytest.mark.parametrize("kind", [ConvolutionEncoder, RecurrentEncoder])
def test_a_policy_remembers_a_frozen_encoders_features_beside_the_encoders_own_memory(
    kind: type[ConvolutionEncoder | RecurrentEncoder],
) -> None:
    """Acting within a rollout and outside of one are the same."""
    with drawn_from(0):
        encoder = kind(FramePreprocessing(64, 64, 3), feature_size=4).eval().requires_grad_(False)
        policy = RecurrentActorCritic(
            torch.nn.Identity(),
            torch.nn.Identity(),
            torch.nn.Identity(),
            CORES["GRU"](4, 6),
            num_actions=3,
            discrete=True,
            value_init_gain=1.0,
            intrinsic_head=False,
        )
    script = draw_script(RolloutShape(T, N, 1, (3, 64, 64), torch.uint8, ()), 0, 0.3)
    shape = RolloutShape(T, N, 1, (4,), torch.float32, (), memory_size=6)
    rollout = EncodedRecurrentRollout(encoder, shape, CPU)
    rollout.start(script.first)
    outside = recollection(encoder, script.first, 1, 6)
    nothing = torch.zeros(N)
    everyone = slice(0, N)
    with torch.no_grad():
        for t in range(T):
            inside = policy(rollout.policy_input(t, everyone))
            output = policy(outside.policy_input)
            torch.testing.assert_close(inside.memory, output.memory)
            outside.keep(output.memory)
            decision = (script.actions[t], nothing, nothing, nothing, inside.memory)
            rollout.store_decision(t, everyone, *decision)
            parts = (script.observations, script.rewards, script.terminated, script.truncated)
            rollout.store_transition(t, everyone, *(p[t] for p in (*parts, script.finals)))
            outside.push(script.observations[t], script.ended[t])
    named = rollout.end_state().named()
    assert ("memory" in named) == (kind is RecurrentEncoder)
    assert "policy_memory" in named
