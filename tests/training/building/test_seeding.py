"""Seeds: every stream its own, the same for the same run seed."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.building.seeding import make_generator, stream_seed

PURPOSES = ("weights", "environments", "acting and sampling", "evaluation actions")


def test_streams_of_all_purposes_ranks_and_neighbouring_run_seeds_differ() -> None:
    streams = itertools.product(range(50), PURPOSES, range(8))
    seeds = [stream_seed(run_seed, purpose, rank) for run_seed, purpose, rank in streams]
    assert len(set(seeds)) == len(seeds)


def test_a_stream_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert stream_seed(1, "weights") == 1919381618
    assert stream_seed(1, "acting and sampling", 3) == 1285022619


@given(st.integers(0, 2**31 - 1), st.text(max_size=20), st.integers(0, 1000))
def test_a_seed_fits_every_simulator(run_seed: int, purpose: str, rank: int) -> None:
    assert 0 <= stream_seed(run_seed, purpose, rank) < 2**31


def test_neighbouring_environment_seeds_of_two_run_seeds_do_not_overlap() -> None:
    # Environment g of a run is seeded with the run's stream + g.
    starts = sorted(stream_seed(run_seed, "environments") for run_seed in range(200))
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) > 1024


def test_generators_of_one_stream_draw_alike_and_those_of_ranks_do_not() -> None:
    cpu = torch.device("cpu")
    first, again, other = (make_generator(1, "acting", rank, cpu) for rank in (0, 0, 1))
    draws = [torch.rand(8, generator=generator) for generator in (first, again, other)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
