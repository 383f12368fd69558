"""How groups of runs are named."""

import pytest

from training.reports.groups import common_name


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["only_one_seed1"], "only_one_seed1"),
        (["rnd_layout1_seed1", "rnd_layout1_seed2"], "rnd_layout1"),
        (["with/seed1", "with/seed2"], "with"),
        (["pong", "pong-2", "pong-3"], "pong"),
        (["seed1", "seed2"], "seed"),
        (["a", "b", "c"], "a and 2 more"),
    ],
)
def test_a_group_is_named_by_what_its_runs_have_in_common(names: list[str], name: str) -> None:
    assert common_name(names) == name
