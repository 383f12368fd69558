"""Both models foresee the walk better than what knows nothing, one step and many steps ahead."""

import pytest
import torch

from agents.steps.adam import FusedAdam
from tests.agents.dynamics.walks import KINDS, make, stream, task, walks

STEPS = 20
RATES = {"mdn_rnn": 1e-2, "causal_transformer": 3e-3}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("differences", [False, True])
def test_it_learns(kind: str, differences: bool) -> None:
    model = make(kind, task(STEPS, differences=differences)).train()
    samples = walks(256, STEPS)
    model.fit(samples)
    optimizer = FusedAdam([{"params": list(model.parameters()), "lr": RATES[kind]}], eps=1e-8)
    generator = stream()
    for _ in range(120):
        rows = torch.randint(0, 256, (32,), generator=generator)
        batch = type(samples)(*(x if x is None else x[rows] for x in samples))
        model.zero_grad(set_to_none=True)
        model(batch, generator).total.backward()
        optimizer.step()
    figures = model.eval().diagnose(walks(64, STEPS, seed=1))
    assert figures["dynamics/nll"] < figures["dynamics/nll_persistence"] - 0.5
    assert figures["dynamics/nll"] < figures["dynamics/nll_gaussian"] - 0.5
    assert figures["dynamics/reward_explained"] > 0.7
    for horizon in (1, 5, 15):
        ahead = figures[f"dynamics/open_loop_{horizon}"]
        assert ahead < 0.5 * figures[f"dynamics/persistence_{horizon}"], horizon
    assert "dynamics/open_loop_50" not in figures


def test_an_untrained_model_is_no_better_than_the_gaussian() -> None:
    model, samples = make("mdn_rnn", task(STEPS)), walks(64, STEPS)
    model.fit(samples)
    figures = model.diagnose(samples)
    assert figures["dynamics/nll"] > figures["dynamics/nll_gaussian"] - 0.05
    assert figures["dynamics/nll_gaussian"].item() == pytest.approx(1.419, abs=0.05)
    assert figures["dynamics/persistence_1"] < figures["dynamics/persistence_5"]


def test_horizons_are_those_that_a_window_reaches() -> None:
    for steps, longest in ((4, 1), (15, 15), (16, 15), (50, 50)):
        figures = make("mdn_rnn", task(steps)).diagnose(walks(4, steps)._replace(mask=None))
        horizons = [int(name.rpartition("_")[2]) for name in figures if "open_loop" in name]
        assert max(horizons) == longest
        assert all(value.isfinite() for value in figures.values())
