"""The world model's two loops, step by step and sequence by sequence."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from agents.networks.backbones import VectorBackbone
from agents.networks.world_model import WorldModel

T, B, A, D, M = 6, 3, 4, 5, 7


def some_model(*, discrete: bool = True) -> WorldModel:
    encoder = VectorBackbone(2, (8, D))
    return WorldModel(encoder, D, num_actions=A, discrete=discrete, belief_size=M, hidden_size=9)


def some_sequence() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, previous actions, starts and the first belief."""
    starts = torch.zeros(T, B, dtype=torch.bool)
    starts[3, 0] = starts[0, 1] = True
    return torch.randn(T, B, D), torch.randn(T, B, A), starts, torch.randn(B, M)


def test_discrete_actions_are_one_hot_and_continuous_ones_stay() -> None:
    actions = torch.tensor([[0, 3], [2, 1]])
    embedded = some_model().embed_actions(actions)
    assert embedded.dtype == torch.float32
    assert embedded[0, 1].tolist() == [0, 0, 0, 1]
    assert embedded[1, 0].tolist() == [0, 0, 1, 0]
    forces = torch.randn(T, B, A)
    assert torch.equal(some_model(discrete=False).embed_actions(forces), forces)


def test_the_closed_loop_is_its_cell_step_by_step() -> None:
    model = some_model()
    features, previous_actions, starts, belief = some_sequence()
    beliefs = model.track(features, previous_actions, starts, belief)
    for b in range(B):
        own, now = belief[b], torch.zeros(M)
        for t in range(T):
            action = previous_actions[t, b]
            if starts[t, b]:
                own, action = torch.zeros(M), torch.zeros(A)
            now = model.closed_loop(torch.cat([features[t, b], action]), own)
            torch.testing.assert_close(beliefs[t, b], now)
            own = now


def test_nothing_of_the_episode_before_passes_a_start() -> None:
    model = some_model()
    features, previous_actions, starts, belief = some_sequence()
    beliefs = model.track(features, previous_actions, starts, belief)
    features[:3, 0], previous_actions[:4, 0], belief[0] = 7.0, 7.0, 7.0
    previous_actions[0, 1], belief[1] = 7.0, 7.0
    changed = model.track(features, previous_actions, starts, belief)
    assert torch.equal(changed[3:, 0], beliefs[3:, 0])
    assert torch.equal(changed[:, 1], beliefs[:, 1])
    assert not torch.equal(changed[:3, 0], beliefs[:3, 0])


@pytest.mark.parametrize("horizon", [1, 3, T + 2])
def test_the_open_loop_sees_the_actions_from_its_start_on_and_nothing_else(horizon: int) -> None:
    model = some_model()
    beliefs, actions = torch.randn(T, B, M), torch.randn(T, B, A)
    predictions = list(model.imagine(beliefs, actions, horizon))
    assert [len(p) for p in predictions] == list(range(T, T - min(horizon, T), -1))
    for t, b in itertools.product(range(T), range(B)):
        state = beliefs[t, b]
        for k in range(min(horizon, T - t)):
            state = model.open_loop(actions[t + k, b], state)
            expected = model.predictor(state.unsqueeze(0))[0]
            torch.testing.assert_close(predictions[k][t, b], expected)


def test_every_parameter_gets_a_gradient_even_from_a_single_step() -> None:
    model = some_model()
    features = model.encoder(torch.randn(B, 2)).unsqueeze(0)
    starts = torch.zeros(1, B, dtype=torch.bool)
    beliefs = model.track(features, torch.randn(1, B, A), starts, torch.randn(B, M))
    (predicted,) = model.imagine(beliefs, torch.randn(1, B, A), 4)
    predicted.square().sum().backward()
    lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert lacking == []


def test_beliefs_and_predictions_are_full_precision_under_autocast() -> None:
    model = some_model()
    features, previous_actions, starts, belief = some_sequence()
    expected = model.track(features.bfloat16(), previous_actions, starts, belief)
    with torch.autocast("cpu", torch.bfloat16):
        beliefs = model.track(features.bfloat16(), previous_actions, starts, belief)
        predictions = list(model.imagine(beliefs, previous_actions, 2))
    assert torch.equal(beliefs, expected)
    assert {p.dtype for p in predictions} == {torch.float32}


def test_features_of_another_width_are_refused() -> None:
    model = some_model()
    _, previous_actions, starts, belief = some_sequence()
    with pytest.raises(RuntimeError, match="inconsistent input_size"):
        model.track(torch.randn(T, B, D + 1), previous_actions, starts, belief)


def test_the_encoder_is_the_given_one() -> None:
    encoder: nn.Module = VectorBackbone(2, (D,))
    model = WorldModel(encoder, D, num_actions=A, discrete=True, belief_size=M, hidden_size=9)
    assert model.encoder is encoder
