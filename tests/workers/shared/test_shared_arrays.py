"""The shared block: fields where they belong, an error in place of a crash when memory lacks."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from configs.errors import ConfigurationError, StorageError
from tests.workers.pool_probes import BASE_SEED, GameProbe, VectorProbe
from workers.pool import WorkerPool
from workers.shared.layout import Layout, environment_names, split
from workers.shared.shared_arrays import ALIGNMENT, SharedArrays, allocate, field_table, total_bytes


@contextmanager
def limited(which: int, most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))


@pytest.mark.parametrize("make", [GameProbe, VectorProbe])
def test_fields_are_aligned_do_not_overlap_and_are_seen_through_every_mapping(
    make: type[GameProbe],
) -> None:
    table = field_table(make.environment_spec, 5, 2)
    descriptor = allocate(table)
    ours, theirs = SharedArrays(descriptor, table), SharedArrays(descriptor, table)
    os.close(descriptor)
    for number, (name, field) in enumerate(table.items(), start=1):
        array = getattr(ours, name)
        assert array.ctypes.data % ALIGNMENT == 0
        assert (array.shape, array.dtype) == (field.shape, field.dtype)
        array[...] = number % 2 if field.dtype == "bool" else number
    for number, (name, field) in enumerate(table.items(), start=1):
        wanted = number % 2 if field.dtype == "bool" else number
        assert (getattr(theirs, name) == wanted).all()


def test_too_little_memory_is_an_error_that_says_what_is_needed_and_what_to_do() -> None:
    table = field_table(GameProbe.environment_spec, 1000, 2)
    with (
        limited(resource.RLIMIT_FSIZE, 4096),
        pytest.raises(StorageError, match=f"need {total_bytes(table):,} bytes") as caught,
    ):
        allocate(table)
    assert "; available: " in str(caught.value)
    assert "lower NumEnv" in str(caught.value)


def test_too_few_file_descriptors_are_an_error_that_says_what_to_do() -> None:
    limit = len(os.listdir("/proc/self/fd")) + 64  # other tests have files open too
    with (
        limited(resource.RLIMIT_NOFILE, limit),
        pytest.raises(ConfigurationError, match=rf"this process may have {limit}: .*ulimit -n"),
    ):
        WorkerPool(GameProbe, num_environments=32, num_processes=32, base_seed=BASE_SEED)


@pytest.mark.parametrize(("count", "parts"), [(7, 3), (4, 4), (2, 3), (64, 2)])
def test_a_split_is_contiguous_complete_and_even(count: int, parts: int) -> None:
    ranges = split(10, count, parts)
    assert [row for span in ranges for row in span] == list(range(10, 10 + count))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1
    assert len(ranges) == parts


def test_every_worker_owns_a_share_of_every_group() -> None:
    layout = Layout.plan(10, 2, 2)
    assert layout.groups == (range(5), range(5, 10))
    assert layout.rows == ((range(3), range(5, 8)), (range(3, 5), range(8, 10)))
    assert environment_names(layout.rows[0]) == "environments 0-2, 5-7"
    assert environment_names((range(3, 4), range(4, 4))) == "environment 3"
    assert Layout.plan(3, 8, 1).num_workers == 3


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 2, 3)])
def test_a_pool_of_nothing_or_of_empty_groups_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigurationError):
        Layout.plan(*numbers)
