"""Who steps the environments, as the configuration, the command line and their cost decide."""

import random
import re
from typing import Any

import pytest

from configs.loading import config_from_mapping
from configs.schema import Config
from workers import opening
from workers.environment_pool import EnvironmentPool
from workers.in_process import InProcessPool
from workers.opening import Sizes, open_pool
from workers.pool import WorkerPool

CART_POLE = {"EnvType": "classic_control", "EnvID": "CartPole-v1"}
FOREIGN = {"EnvType": "gymnasium", "EnvID": "CartPole-v1"}
MAZE = {"EnvType": "minigrid", "EnvID": "MiniGrid-MultiRoom-N2-S4-v0"}
PONG = {"EnvType": "atari", "EnvID": "PongNoFrameskip-v4"}
MEASURED = r": [\d,]+ us a step$"


def opened(
    values: dict[str, str],
    num_workers: int | None = None,
    backend: str | None = None,
    *,
    with_states: bool = False,
) -> EnvironmentPool:
    config: Config = config_from_mapping({**values, "NumEnv": "2"})
    sizes = Sizes(
        num_environments=2,
        num_groups=1,
        base_seed=3,
        first_index=0,
        num_workers=num_workers,
        cores=1,
    )
    return open_pool(config, sizes, backend, with_states=with_states)


@pytest.mark.parametrize("values", [CART_POLE, MAZE], ids=lambda values: values["EnvID"])
def test_cheap_environments_of_scouts_own_step_in_the_rank(values: dict[str, str]) -> None:
    before = random.getstate()
    with opened(values) as pool:
        assert isinstance(pool, InProcessPool)
        assert re.search(f"^in the rank itself{MEASURED}", pool.place)
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (FOREIGN, {}),
        (PONG, {}),
        (CART_POLE, {"num_workers": 1}),
        ({**CART_POLE, "WorkerBackend": "in_process"}, {"num_workers": 1}),
        ({**CART_POLE, "WorkerBackend": "processes"}, {}),
        (CART_POLE, {"backend": "processes"}),
    ],
    ids=["foreign code", "an emulator", "--num_workers", "in_process", "processes", "as told"],
)
def test_all_others_step_in_workers_and_nothing_is_measured(
    values: dict[str, str], options: dict[str, Any]
) -> None:
    with opened(values, **options) as pool:
        assert isinstance(pool, WorkerPool)
        assert pool.place == "on 1 worker process(es) per rank"


def test_dear_environments_step_in_workers_and_the_start_says_what_they_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "CHEAP", 0.0)
    with opened(CART_POLE) as pool:
        assert isinstance(pool, WorkerPool)
        assert re.search(rf"^on 1 worker process\(es\) per rank{MEASURED}", pool.place)


def test_states_come_from_processes_where_ale_py_has_none_to_give() -> None:
    with opened({**PONG, "WorkerBackend": "ale_vector"}, with_states=True) as pool:
        assert isinstance(pool, WorkerPool)
        pool.reset()
        assert pool.states(0).shape == (2, len(pool.spec.state_names)) == (2, 128)


def test_who_asks_for_it_has_foreign_code_in_the_rank() -> None:
    with opened({**FOREIGN, "WorkerBackend": "in_process"}) as pool:
        assert isinstance(pool, InProcessPool)
        assert pool.place == "in the rank itself"
