"""CMA-ES, the evolution strategy that adapts its covariance matrix, by the package `cma`.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772. The package is used for
its update alone: draws come from a generator of our own, it ends nothing by itself, and what is no
number is ranked here, since the package would take the median for it.
"""

import math
from typing import Self

import cma
import numpy as np
from cma.utilities.utils import ElapsedWCTime
from numpy.typing import ArrayLike, NDArray

from agents.controllers.cma_state import lay_out, packed, unpacked
from configs.checks.evolution import SMALLEST_POPULATION
from configs.errors import CheckpointError, ConfigurationError, NonFiniteError

LARGEST_COORDINATE_CONDITION = 1e8  # the package's own; above it the axes are rescaled
MATRICES = 11  # [N, N] that the package and a save hold at most, measured with N = 1,000 and 1,500

Array = NDArray[np.float64]


def usual_population(num_parameters: int) -> int:
    """Return 4 + 3 ln N, rounded down; arXiv 1604.00772, equation 48. Noise needs more."""
    return max(SMALLEST_POPULATION, 4 + math.floor(3 * math.log(num_parameters)))


def strategy_bytes(num_parameters: int) -> int:
    """Return about what CMA-ES holds of memory at most; it grows with the square of N."""
    return MATRICES * 8 * num_parameters**2


class CMAES:
    """Ask for a population, tell how good each member was: more is better.

    A generation is one `ask` and one `tell`. It never ends by itself, a generation of equal
    fitnesses is one like any other. numpy's global random stream is left alone.

    Args:
        start: [N], the mean of the first population.
        deviation: of each parameter in the first population, σ.
        population_size: P.
        seed: of its own random stream, 0 or more.

    Raises:
        ConfigurationError: a population below 8, a deviation that is not above 0, or less than two
            parameters.
    """

    def __init__(
        self, start: ArrayLike, *, deviation: float, population_size: int, seed: int
    ) -> None:
        mean = np.array(start, dtype=np.float64)
        _check(mean, deviation, population_size)
        self._draws = _Draws(seed)
        self._first_deviation = float(deviation)
        self._strategy = cma.CMAEvolutionStrategy(
            mean,
            float(deviation),
            {
                "popsize": population_size,
                "randn": self._draws,
                "seed": math.nan,  # any other reseeds numpy's global stream, or means the clock
                "verbose": -9,
                "verb_log": 0,
                # The second would put a function into the state, at a condition of 1e12.
                "conditioncov_alleviate": [LARGEST_COORDINATE_CONDITION, 0],
            },
        )
        self._asked: Array | None = None

    @property
    def num_parameters(self) -> int:
        """N."""
        return int(self._strategy.N)

    @property
    def population_size(self) -> int:
        """P."""
        return int(self._strategy.popsize)

    @property
    def generation(self) -> int:
        """How many generations were told."""
        return int(self._strategy.countiter)

    @property
    def mean(self) -> Array:
        """The mean of the next population, [N]: what is kept, and evaluated, in the end."""
        return np.array(self._strategy.mean, dtype=np.float64)

    @property
    def deviation(self) -> float:
        """σ; a parameter's deviation is σ times the root of its variance in the matrix."""
        return float(self._strategy.sigma)

    def ask(self) -> Array:
        """Return a population, [P, N].

        Raises:
            RuntimeError: the one before was not told.
        """
        if self._asked is not None:
            raise RuntimeError("a population was asked for before the one before was told")
        self._asked = np.array(self._strategy.ask(), dtype=np.float64)
        return self._asked.copy()

    def tell(self, fitness: ArrayLike) -> int:
        """Learn from how good each member of the population was; more is better.

        Args:
            fitness: [P]. NaN and infinite ones are ranked last, as equals.

        Returns:
            How many were not finite, for the caller to say.

        Raises:
            RuntimeError: no population was asked for.
            ValueError: another number of fitnesses.
            NonFiniteError: none is finite; nothing was learnt, the population may be told again.
        """
        if self._asked is None:
            raise RuntimeError("fitnesses were told before a population was asked for")
        costs, num_bad = ranked_costs(fitness, self.population_size)
        if num_bad == self.population_size:
            raise NonFiniteError(
                f"generation {self.generation + 1}: none of {num_bad} fitnesses is a finite "
                "number; see what the environment pays, or choose a smaller deviation"
            )
        self._strategy.tell(list(self._asked), costs)
        self._asked = None
        return num_bad

    def to_bytes(self) -> bytes:
        """Return all of its state, the random stream too: plain numbers, no pickle.

        Raises:
            RuntimeError: between `ask` and `tell`.
        """
        if self._asked is not None:
            raise RuntimeError(
                "a strategy is saved between generations, after its population was told"
            )
        return packed(
            self._strategy,
            {
                "num_parameters": self.num_parameters,
                "deviation": self._first_deviation,
                "population_size": self.population_size,
                "generator": self._draws.state,
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the strategy that `to_bytes` gave; it goes on to the last bit. Runs no code.

        Raises:
            CheckpointError: it is none, or of another release of `cma` with another state.
        """
        facts, numbers, arrays = unpacked(data)
        try:
            made = cls(
                np.zeros(int(facts["num_parameters"])),
                deviation=float(facts["deviation"]),
                population_size=int(facts["population_size"]),
                seed=0,
            )
            made._draws.state = facts["generator"]
        except (ConfigurationError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the state of CMA-ES cannot be used: {error}") from error
        lay_out(numbers, arrays, made._strategy)
        made._strategy.timer = ElapsedWCTime()  # which it makes in its first generation alone
        return made


def ranked_costs(fitness: ArrayLike, count: int) -> tuple[list[float], int]:
    """Return costs, less is better, in which what is not finite comes last; and how many were not.

    Args:
        fitness: [P], more is better.
        count: P.

    Raises:
        ValueError: another number of fitnesses.
    """
    costs = -np.asarray(fitness, dtype=np.float64)
    if costs.shape != (count,):
        raise ValueError(f"fitnesses of shape {costs.shape} came for a population of {count}")
    finite = np.isfinite(costs)
    if finite.any():
        worst = costs[finite].max()
        costs = np.where(finite, costs, worst + max(1.0, abs(worst)))
    return costs.tolist(), int(count - finite.sum())


class _Draws:
    """Standard normal numbers as `cma` asks for them, from one stream."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Array:
        return self._generator.standard_normal(shape)

    @property
    def state(self) -> dict[str, object]:
        return dict(self._generator.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, object]) -> None:
        self._generator.bit_generator.state = state


def _check(mean: Array, deviation: float, population_size: int) -> None:
    if mean.ndim != 1 or len(mean) < 2 or not np.isfinite(mean).all():
        raise ConfigurationError(
            f"CMA-ES starts from a vector of two or more finite numbers, not from {mean}"
        )
    if not (math.isfinite(deviation) and deviation > 0):
        raise ConfigurationError(f"CMA-ES: a deviation of {deviation:g}; choose one above 0")
    if population_size < SMALLEST_POPULATION:
        raise ConfigurationError(
            f"CMA-ES: a population of {population_size} learns next to nothing from noisy "
            f"fitnesses; choose {SMALLEST_POPULATION} or more, usual for {len(mean)} parameters "
            f"are {usual_population(len(mean))}"
        )
