"""The evolution strategy: what it finds, what it leaves alone, how it goes on, what it refuses."""

import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.controllers.cma_es import CMAES, ranked_costs, usual_population
from configs.checks.evolution import SMALLEST_POPULATION
from configs.errors import CheckpointError, ConfigurationError, NonFiniteError

Array = NDArray[np.float64]


def sphere(population: Array) -> Array:
    """How good each member is: 0 at best."""
    good: Array = -np.square(population).sum(axis=1)
    return good


def ellipsoid(population: Array) -> Array:
    good: Array = -(np.geomspace(1.0, 1e6, population.shape[1]) * population**2).sum(axis=1)
    return good


def make(size: int = 20, *, population: int = 12, seed: int = 1) -> CMAES:
    return CMAES(np.ones(size), deviation=0.5, population_size=population, seed=seed)


def evolve(
    strategy: CMAES, generations: int, good: Callable[[Array], Array] = sphere
) -> list[Array]:
    populations = []
    for _ in range(generations):
        populations.append(strategy.ask())
        strategy.tell(good(populations[-1]))
    return populations


def test_it_finds_the_best_point_of_a_sphere_in_20_dimensions() -> None:
    strategy = make()
    evolve(strategy, 300)
    assert -sphere(strategy.mean[None])[0] < 1e-8
    assert strategy.generation == 300
    assert strategy.deviation < 1e-3


def test_more_is_better() -> None:
    strategy = make(5)
    evolve(strategy, 20, lambda population: population.sum(axis=1))
    assert strategy.mean.sum() > 10.0


def test_numpys_global_stream_is_left_alone_and_matters_to_nothing() -> None:
    np.random.seed(3)  # noqa: NPY002 - the stream that the package would reseed
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    one = evolve(make(), 5)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002
    np.random.seed(4)  # noqa: NPY002
    other = evolve(make(), 5)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_seed_has_a_stream_of_its_own_0_too() -> None:
    first = {seed: make(seed=seed).ask() for seed in (0, 1, 2)}
    assert np.array_equal(first[0], make(seed=0).ask())
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


def test_two_strategies_beside_each_other_do_not_touch() -> None:
    alone = evolve(make(seed=1), 4)
    one, other = make(seed=1), make(seed=2)
    beside = []
    for _ in range(4):
        evolve(other, 1)
        beside += evolve(one, 1)
    assert all(np.array_equal(a, b) for a, b in zip(alone, beside, strict=True))


@pytest.mark.parametrize(
    ("size", "population", "before", "after", "good"),
    [
        (20, 12, 0, 20, sphere),
        (20, 12, 37, 60, sphere),
        (5, 8, 140, 60, ellipsoid),
        (20, 12, 300, 300, ellipsoid),
        (150, 16, 33, 30, sphere),  # eigenvectors are not renewed in each generation
        (20, 12, 3, 20, lambda population: np.zeros(len(population))),
    ],
)
def test_it_goes_on_to_the_last_bit(
    size: int, population: int, before: int, after: int, good: Callable[[Array], Array]
) -> None:
    strategy = make(size, population=population)
    evolve(strategy, before, good)
    again = CMAES.from_bytes(strategy.to_bytes())
    assert (again.generation, again.population_size) == (before, population)
    for one, other in zip(evolve(strategy, after, good), evolve(again, after, good), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(strategy.mean, again.mean)
    assert strategy.deviation == again.deviation
    assert strategy.to_bytes() == again.to_bytes()


def test_saving_changes_nothing() -> None:
    saved, plain = make(), make()
    for _ in range(10):
        saved.to_bytes()
        assert np.array_equal(evolve(saved, 1)[0], evolve(plain, 1)[0])


def test_an_equal_generation_ends_nothing() -> None:
    strategy = make()
    evolve(strategy, 5, lambda population: np.zeros(len(population)))
    assert strategy.generation == 5
    assert np.isfinite(strategy.mean).all()
    evolve(strategy, 300)
    assert -sphere(strategy.mean[None])[0] < 1e-8


def test_what_is_no_number_is_ranked_last() -> None:
    costs, num_bad = ranked_costs([3.0, np.nan, -5.0, np.inf, -np.inf], 5)
    assert num_bad == 3
    assert costs[0] == -3.0
    assert costs[2] == 5.0
    assert costs[1] == costs[3] == costs[4] > 5.0
    assert np.isfinite(costs).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_members_without_a_fitness_are_as_those_with_the_worst(bad: float) -> None:
    one, other = make(), make()
    for _ in range(3):
        fitness = sphere(one.ask())
        other.ask()
        worst = fitness.copy()
        worst[:4] = fitness.min() - 1e6
        fitness[:4] = bad
        assert one.tell(fitness) == 4
        assert other.tell(worst) == 0
        assert np.array_equal(one.mean, other.mean)


def test_a_generation_without_any_fitness_is_refused_in_words() -> None:
    strategy = make()
    strategy.ask()
    with pytest.raises(NonFiniteError, match="generation 1: none of 12 fitnesses"):
        strategy.tell(np.full(12, np.nan))
    assert strategy.generation == 0
    assert strategy.tell(np.zeros(12)) == 0


@pytest.mark.parametrize("population", [1, 4, SMALLEST_POPULATION - 1])
def test_a_population_that_gets_nowhere_is_refused(population: int) -> None:
    with pytest.raises(ConfigurationError, match=f"a population of {population} .* choose 8"):
        make(population=population)


@pytest.mark.parametrize(
    ("start", "deviation"), [([1.0], 1.0), ([1.0, np.nan], 1.0), ([1, 2], 0.0), ([1, 2], np.nan)]
)
def test_a_start_that_is_none_is_refused(start: list[float], deviation: float) -> None:
    with pytest.raises(ConfigurationError, match="CMA-ES"):
        CMAES(start, deviation=deviation, population_size=8, seed=0)


def test_the_usual_population_is_the_tutorials() -> None:
    assert usual_population(867) == 24
    assert usual_population(2) == SMALLEST_POPULATION


def test_asking_and_telling_out_of_turn_is_refused() -> None:
    strategy = make()
    with pytest.raises(RuntimeError, match="before a population was asked"):
        strategy.tell(np.zeros(12))
    strategy.ask()
    with pytest.raises(RuntimeError, match="before the one before was told"):
        strategy.ask()
    with pytest.raises(RuntimeError, match="between generations"):
        strategy.to_bytes()
    with pytest.raises(ValueError, match="population of 12"):
        strategy.tell(np.zeros(11))


def test_what_the_caller_does_to_a_population_does_not_matter() -> None:
    one, other = make(), make()
    population = one.ask()
    fitness = sphere(population)
    population[:] = 7.0
    one.tell(fitness)
    other.tell(sphere(other.ask()))
    assert np.array_equal(one.mean, other.mean)


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Bytes of a strategy in which something was changed."""
    strategy = make(5, population=8)
    evolve(strategy, 3)
    with np.load(io.BytesIO(strategy.to_bytes())) as file:
        arrays = dict(file)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def rewritten(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Bytes of a strategy whose document was changed."""

    def change_document(arrays: dict[str, Any]) -> None:
        document = json.loads(arrays["document"].tobytes())
        change(document)
        arrays["document"] = np.frombuffer(json.dumps(document).encode(), np.uint8)

    return altered(change_document)


@pytest.mark.parametrize(
    "damaged",
    [
        lambda: b"",
        lambda: b"PK\x03\x04 no archive",
        lambda: pickle.dumps(print),
        lambda: altered(lambda arrays: arrays.pop("document")),
        lambda: altered(lambda arrays: arrays.pop("array0")),
        lambda: altered(lambda arrays: arrays.update(array0=np.zeros((3, 7), np.uint8))),
        lambda: rewritten(lambda document: document["facts"].update(population_size=1)),
        lambda: rewritten(lambda document: document["facts"].pop("generator")),
        lambda: rewritten(
            lambda document: document["facts"].update(generator={"bit_generator": "MT"})
        ),
        lambda: rewritten(lambda document: document["numbers"].pop("strategy.sm")),
        lambda: rewritten(lambda document: document["numbers"]["strategy"].update(tell=1)),
        lambda: rewritten(lambda document: document["numbers"]["strategy"].pop("sigma")),
    ],
)
def test_bytes_that_are_no_state_are_refused_in_words(damaged: Callable[[], bytes]) -> None:
    with pytest.raises(CheckpointError, match="state of CMA-ES"):
        CMAES.from_bytes(damaged())
