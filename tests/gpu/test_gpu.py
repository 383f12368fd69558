"""What only a CUDA device shows: `make test_gpu`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from agents.ppo.gradient_steps import GradientSteps, NonFiniteGradientError
from agents.ppo.learner import Learner
from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.minibatches import some_minibatches
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    SETTINGS,
    VECTOR,
    Kind,
    assert_all_equal,
    make_learner,
    parameters_of,
    trained_parameters,
)
from tests.records import checkpoint_path
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from tests.workers.pool_probes import GameProbe
from tests.workers.pools import make_pool
from training.checkpoints.storage import load_payload
from training.ranks.page_locking import page_locked

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
T, N = 6, 4

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture
def only_gpu() -> Iterator[Ranks]:
    """This process as the only rank, through NCCL."""
    torch.cuda.set_device(CUDA)
    store = dist.HashStore()  # type: ignore[attr-defined] # not in __all__
    dist.init_process_group("nccl", store=store, rank=0, world_size=1)
    try:
        yield Ranks(CUDA)
    finally:
        dist.destroy_process_group()


def learned(kind: Kind, ranks: Ranks, device: torch.device) -> Learner:
    """Return a learner after one update on the whole rollout, whose order does not matter."""
    learner = make_learner(kind, N).to(device)
    optimizer = torch.optim.Adam(trained_parameters(learner), lr=1e-2, fused=True)
    agent = PPOAgent(learner, optimizer, SETTINGS, ranks, torch.Generator(device).manual_seed(0))
    shape = kind.rollout_shape(T, N)
    script, rollout = draw_script(shape, 0), RolloutBuffer(shape, device)
    rollout.start(script.first)
    script.fill(rollout)
    agent.learn(rollout)
    return learner


@pytest.mark.parametrize("observation_shape", [VECTOR, FRAME])
def test_an_update_is_that_of_the_cpu_but_for_rounding(
    only_gpu: Ranks, observation_shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    kind = Kind(observation_shape)
    on_gpu = parameters_of(learned(kind, only_gpu, CUDA))
    dist.destroy_process_group()
    store = dist.HashStore()  # type: ignore[attr-defined] # as above
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    on_cpu = parameters_of(learned(kind, Ranks(CPU), CPU))
    for name, parameter in on_cpu.items():
        torch.testing.assert_close(on_gpu[name].cpu(), parameter, rtol=1e-3, atol=1e-4)


def steps_on_gpu(learner: Learner) -> GradientSteps:
    optimizer = torch.optim.Adam(trained_parameters(learner), lr=1e-3, fused=True)
    return GradientSteps(learner, optimizer, 0.5)


def test_no_step_waits_for_the_device(only_gpu: Ranks) -> None:
    learner = make_learner(Kind(bonus=False), N).to(CUDA)
    steps = steps_on_gpu(learner)
    first, *rest = some_minibatches(4, CUDA)
    steps.take(first, 0.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in rest:
            steps.take(batch, 0.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    steps.settle()


def test_a_gradient_that_is_not_finite_changes_no_parameter(only_gpu: Ranks) -> None:
    learner = make_learner(Kind(bonus=False), N).to(CUDA)
    steps = steps_on_gpu(learner)
    before = parameters_of(learner)
    bad, good = some_minibatches(2, CUDA)
    bad.advantages[3] = float("nan")
    steps.take(bad, 0.0)
    with pytest.raises(NonFiniteGradientError) as caught:
        steps.take(good, 0.0)
    assert caught.value.batch is bad
    assert_all_equal(parameters_of(learner), before)


def test_what_workers_write_is_page_locked_while_it_is_read() -> None:
    with make_pool(GameProbe) as pool:
        observations = torch.from_numpy(pool.reset())
        with page_locked(pool, CUDA):
            assert observations.is_pinned()
        assert not observations.is_pinned()


@pytest.mark.parametrize(
    "recipe",
    [
        CARTPOLE,
        PONG + "Precision = bfloat16\n",
        PONG + "Precision = bfloat16\nOverlapCollection = True\n",
    ],
)
def test_a_run_trains_resumes_and_is_evaluated(tmp_path: Path, recipe: str) -> None:
    path = write_recipe(tmp_path, recipe)
    train = ("--train", f"--config_path={path}", "--log_name=demo", "--num_workers=1")
    assert run_here(tmp_path, *train) == 0
    payload = load_payload(checkpoint_path(tmp_path, "demo"))
    assert payload["facts"]["device"] == "cuda"
    more = f"--max_env_steps={2 * int(payload['env_steps'])}"
    assert run_here(tmp_path, *train, "--resume", more) == 0
    evaluate = ("--eval", f"--config_path={path}", "--episodes=2", "--num_workers=1")
    load = f"--load_model_path={checkpoint_path(tmp_path, 'demo')}"
    assert run_here(tmp_path, *evaluate, load) == 0
