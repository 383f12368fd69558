"""What holds for every model of sequences: causality, steps, losses, samples, how it is kept."""

import json

import pytest
import torch
from torch import Tensor

from agents.dynamics.prediction import Prediction
from agents.dynamics.registry import DYNAMICS, build_dynamics, dynamics_named
from agents.encoders.objective import DataShapes, Samples
from agents.encoders.preprocessing import UnexpectedObservationError
from agents.encoders.registry import UnknownKindError
from agents.losses.mixture_density import mixture_log_likelihood
from tests.agents.dynamics.walks import KINDS, A, D, T, make, poisoned, stream, task, walks

EVERY = pytest.mark.parametrize("kind", list(KINDS))


def test_every_kind_is_tested() -> None:
    assert set(KINDS) == set(DYNAMICS)


def close(one: Tensor, other: Tensor) -> None:
    """A batch of another shape sums in another order."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def given(samples: Samples) -> tuple[Tensor, Tensor]:
    assert samples.observations is not None
    assert samples.actions is not None
    return samples.observations, samples.actions


def predictions(kind: str, samples: Samples, **settings: bool) -> Prediction:
    """What a fitted model says of each step of the samples."""
    model = make(kind, task(**settings))
    model.fit(walks(8, discrete=settings.get("discrete", False)))
    window = model.window(samples, stream())
    return model.foreseen(window)


@EVERY
@pytest.mark.parametrize("differences", [False, True])
@pytest.mark.parametrize("discrete", [False, True])
def test_step_by_step_is_the_whole_sequence(kind: str, differences: bool, discrete: bool) -> None:
    model = make(kind, task(differences=differences, discrete=discrete))
    samples = walks(4, discrete=discrete)
    model.fit(samples)
    observations, actions = given(samples)
    whole = model.foreseen(model.window(samples._replace(mask=None), stream()))
    state = model.initial_state(4)
    for t in range(T):
        found, state = model.step(observations[:, t], actions[:, t], state)
        for one, other in zip(found, whole, strict=True):
            close(one, other[:, t])
    hidden, end = model.run(
        torch.cat(
            [
                model.encoder.preprocessing(observations.flatten(0, 1)).unflatten(0, (4, T)),
                model.embed(actions),
            ],
            dim=-1,
        )
    )
    close(model.hidden(state), hidden[:, -1])
    for one, other in zip(state, end, strict=True):
        close(one, other)


@EVERY
def test_the_future_alters_nothing_earlier_and_the_past_everything_later(kind: str) -> None:
    samples = walks(4)._replace(mask=None)
    before = predictions(kind, samples)
    observations, actions = (x.clone() for x in given(samples))
    observations[:, 3:] += 3.0
    actions[:, 3:] -= 3.0
    following = torch.cat([observations[:, 1:], samples.next_observations[:, -1:]], dim=1)  # type: ignore[index]
    changed = samples._replace(
        observations=observations, next_observations=following, actions=actions
    )
    after = predictions(kind, changed)
    for one, other in zip(before, after, strict=True):
        close(one[:, :3], other[:, :3])
        assert not torch.isclose(one[:, 3:], other[:, 3:]).all(dim=0).any()


@EVERY
@pytest.mark.parametrize("discrete", [False, True])
def test_what_stands_in_fillings_reaches_neither_loss_nor_gradient_nor_statistics(
    kind: str, discrete: bool
) -> None:
    clean = walks(6, discrete=discrete)
    results = []
    for samples in (clean, poisoned(clean)):
        model = make(kind, task(discrete=discrete, sample=True))
        model.fit(samples)
        losses = model(samples, stream())
        losses.total.backward()
        figures = model.diagnose(samples)
        results.append(
            [
                *(losses.total, *figures.values()),
                *(p.grad for p in model.parameters()),
                *model.buffers(),
            ]
        )
    for one, other in zip(*results, strict=True):
        assert torch.isfinite(one).all()
        assert torch.equal(one, other)


@EVERY
def test_a_loss_reaches_every_parameter_and_draws_from_the_given_stream_alone(kind: str) -> None:
    model, state = make(kind, task(sample=True)), torch.get_rng_state()
    samples = walks(6)
    model.fit(samples)
    losses = model(samples, stream())
    losses.total.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert losses.parts.keys() == {"latent", "reward", "termination"}
    assert not any(value.requires_grad for value in losses.parts.values())
    torch.testing.assert_close(
        losses.total.detach(), torch.stack(list(losses.parts.values())).sum()
    )
    assert not torch.equal(model(samples, stream(1)).total, losses.total)


@EVERY
def test_the_loss_is_the_mean_over_the_steps_that_were_lived(kind: str) -> None:
    model, samples = make(kind), walks(5)
    model.fit(samples)
    losses = model(samples, stream())
    window = model.window(samples, stream())
    found = model.foreseen(window)
    steps = [(b, t) for b in range(5) for t in range(T) if window.mask[b, t]]
    latent = [
        -mixture_log_likelihood(
            found.log_weights[b, t],
            found.means[b, t],
            found.log_deviations[b, t],
            window.targets[b, t],
        ).mean()
        for b, t in steps
    ]
    assert samples.rewards is not None
    rewards = samples.rewards[samples.mask]
    reward = [
        (found.rewards[b, t] - samples.rewards[b, t]) ** 2 / rewards.var(correction=0)
        for b, t in steps
    ]
    close(losses.parts["latent"], torch.stack(latent).mean())
    close(losses.parts["reward"], torch.stack(reward).mean())


@EVERY
def test_bfloat16_changes_a_loss_but_little_and_its_gradients_stay_finite(kind: str) -> None:
    model, samples = make(kind), walks(6)
    model.fit(samples)
    exact = model(samples, stream()).total.detach()
    with torch.autocast("cpu", torch.bfloat16):
        narrow = model(samples, stream()).total
    torch.testing.assert_close(narrow.detach(), exact, rtol=0.03, atol=0.01)
    narrow.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@EVERY
def test_statistics_are_those_of_what_was_lived(kind: str) -> None:
    model, samples = make(kind), walks(200)
    model.fit(samples)
    window = model.window(samples, stream())
    assert samples.mask is not None
    seen = window.latents[samples.mask]
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(D), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(seen.std(dim=0), torch.ones(D), rtol=1e-2, atol=0.0)
    change = (window.targets - window.latents)[samples.mask]
    close(model.change_mean, change.mean(dim=0))
    close(model.change_deviation, change.std(dim=0, correction=0))


def test_drawn_latents_are_the_same_as_target_and_as_next_input_and_vary_as_stated() -> None:
    model, samples = make("mdn_rnn", task(sample=True)), walks(500)._replace(mask=None)
    window = model.window(samples, stream())  # unfitted: in the dataset's units
    torch.testing.assert_close(window.latents[:, 1:], window.targets[:, :-1], rtol=0.0, atol=0.0)
    assert samples.next_observations is not None
    drawn = window.targets - samples.next_observations
    assert drawn.std().item() == pytest.approx(0.1, rel=0.05)
    assert drawn.mean().item() == pytest.approx(0.0, abs=0.01)


def test_a_dimension_that_an_encoder_is_unsure_of_is_scaled_by_what_is_drawn() -> None:
    samples = walks(100)
    flat = torch.zeros_like(samples.observations)  # type: ignore[arg-type]
    ones = torch.ones_like(flat)
    samples = samples._replace(
        observations=flat, next_observations=flat, deviations=ones, next_deviations=ones
    )
    model = make("mdn_rnn", task(sample=True))
    model.fit(samples)
    deviation = model.get_buffer("encoder.preprocessing.deviation")
    torch.testing.assert_close(deviation, torch.ones(D), rtol=0.1, atol=0.0)


@EVERY
def test_differences_and_latents_are_two_forms_of_one_prediction(kind: str) -> None:
    samples = walks(6)
    plain, different = make(kind), make(kind, task(differences=True))
    plain.fit(samples), different.fit(samples)
    for model in (plain, different):  # a head that says nothing
        torch.nn.init.zeros_(model.head.layer.weight)
        torch.nn.init.zeros_(model.head.layer.bias)
    window = plain.window(samples, stream())
    mean, still = plain.foreseen(window).means, different.foreseen(window).means
    torch.testing.assert_close(mean, torch.zeros_like(mean))
    expected = (window.latents + different.change_mean).unsqueeze(-1).expand_as(still)
    torch.testing.assert_close(still, expected)


@EVERY
def test_samples_are_in_the_datasets_units_and_from_the_given_stream(kind: str) -> None:
    model, samples = make(kind), walks(2000)
    model.fit(samples)
    observations, actions = given(samples)
    found, _ = model.step(observations[:, 0], actions[:, 0], model.initial_state(2000))
    same = Prediction(*(x[:1].expand_as(x) for x in found))
    drawn, again = (model.sample(same, stream()) for _ in range(2))
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, model.sample(same, stream(1)))
    expected = model.expected(same)
    spread = model.get_buffer("encoder.preprocessing.deviation").max().item()
    torch.testing.assert_close(drawn.mean(dim=0), expected[0], rtol=0.0, atol=0.1 * spread)
    wide = model.sample(same, stream(), temperature=4.0)
    assert (wide.std(dim=0) > 1.5 * drawn.std(dim=0)).all()
    certain = model.sample(same, stream(), temperature=0.0)
    assert torch.equal(certain, certain[:1].expand_as(certain))
    with pytest.raises(ValueError, match="temperature"):
        model.sample(same, stream(), temperature=-1.0)


@EVERY
def test_rows_that_start_anew_forget_and_the_others_do_not(kind: str) -> None:
    model, samples = make(kind), walks(3)
    observations, actions = given(samples)
    state = model.initial_state(3)
    for t in range(3):
        _, state = model.step(observations[:, t], actions[:, t], state)
    starts = torch.tensor([False, True, False])
    state = model.restart(state, starts)
    found, _ = model.step(observations[:, 3], actions[:, 3], state)
    fresh, _ = model.step(observations[1:2, 3], actions[1:2, 3], model.initial_state(1))
    samples = samples._replace(mask=None)
    whole = model.foreseen(model.window(samples, stream()))
    for one, other, continued in zip(found, fresh, whole, strict=True):
        close(one[1:2], other)
        close(one[::2], continued[::2, 3])


@pytest.mark.parametrize(("taken", "known"), [(T, T), (T + 1, T // 2 + 1), (T + 3, T), (T + 4, 4)])
def test_a_full_window_of_the_transformer_drops_its_older_half(taken: int, known: int) -> None:
    model, samples = make("causal_transformer"), walks(3, steps=T + 4)
    observations, actions = given(samples)
    state = model.initial_state(3)
    for t in range(taken):
        found, state = model.step(observations[:, t], actions[:, t], state)
    last = Samples(*(x if x is None else x[:, taken - known : taken] for x in samples))
    whole = model.foreseen(model.window(last._replace(mask=None), stream()))
    for one, other in zip(found, whole, strict=True):
        close(one, other[:, -1])


def test_rows_whose_windows_fill_at_different_times_do_not_touch() -> None:
    model, samples = make("causal_transformer"), walks(2, steps=T + 2)
    observations, actions = given(samples)
    state, alone = model.initial_state(2), model.initial_state(1)
    for t in range(T + 2):
        if t == 2:
            state = model.restart(state, torch.tensor([True, False]))
        found, state = model.step(observations[:, t], actions[:, t], state)
        if t >= 2:
            expected, alone = model.step(observations[:1, t], actions[:1, t], alone)
            for one, other in zip(found, expected, strict=True):
                close(one[:1], other)


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    for kind in KINDS:
        model, samples = make(kind), walks(2, steps=T + 1)
        observations, actions = given(samples)
        state = model.initial_state(2)
        for t in range(T + 1):
            before = [part.clone() for part in state]
            _, after = model.step(observations[:, t], actions[:, t], state)
            assert all(torch.equal(*pair) for pair in zip(before, state, strict=True))
            state = after


@EVERY
def test_a_description_and_the_state_make_it_anew(kind: str) -> None:
    model, samples = make(kind, task(sample=True, differences=True)), walks(6)
    model.fit(samples)
    again = build_dynamics(json.loads(json.dumps(model.facts))).eval()
    again.load_state_dict(model.state_dict())
    assert (again.facts, again.needs) == (model.facts, model.needs)
    assert torch.equal(again(samples, stream()).total, model(samples, stream()).total)
    assert again.needs.steps == T
    assert {"deviations", "rewards", "terminations"} <= set(again.needs.fields)


@pytest.mark.parametrize("kind", list(DYNAMICS))
def test_the_papers_sizes_are_the_defaults(kind: str) -> None:
    shapes = DataShapes(None, 0, action_size=3, vector_size=32)
    model = DYNAMICS[kind].create(shapes, sample_observations=True)
    assert model.feature_size == 256
    assert model.task.steps == 32
    assert model.encoder.feature_size == 32
    with pytest.raises(ValueError, match="encode it first"):
        DYNAMICS[kind].create(DataShapes(None, 32, action_size=3))


def test_names_that_no_model_has_are_refused() -> None:
    assert dynamics_named("MDN_RNN") is DYNAMICS["mdn_rnn"]
    with pytest.raises(UnknownKindError, match="did you mean mdn_rnn"):
        dynamics_named("mdn-rnn")
    with pytest.raises(UnknownKindError, match="cannot be built"):
        build_dynamics({"kind": "mdn_rnn", "settings": {}})


@EVERY
def test_what_cannot_be_used_is_refused(kind: str) -> None:
    model = make(kind)
    with pytest.raises(UnexpectedObservationError):
        model.step(torch.zeros(2, D + 1), torch.zeros(2, A), model.initial_state(2))
    with pytest.raises(ValueError, match="the samples hold no rewards"):
        model(walks(2)._replace(rewards=None), stream())
    with pytest.raises(ValueError, match="no sequence"):
        make(kind, task(steps=1))
