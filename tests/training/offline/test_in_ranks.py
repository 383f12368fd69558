"""Two ranks take the step, and see the held-out loss, of one process on the joined batch."""

from pathlib import Path
from typing import Any

import pytest
import torch

from agents.encoders.objective import Needs, Objective, Samples
from agents.ranks import Ranks
from tests.agents.encoders.squares import make, part, squares, stream
from tests.ranks import only_rank, run_in_ranks
from tests.records import differences
from tests.runs import run_main, started
from tests.training.offline.made import command, rows_of, state_of
from tests.training.offline.made import squares as write_squares
from training.checkpoints.storage import load_payload
from training.offline.steps import Steps
from training.offline.validation import Validation

KINDS = ("vae", "barlow_twins", "reward_induced", "conv_autoencoder")  # every kind of state
SIZE = 8
RANKS = 2


def whole(needs: Needs) -> Samples:
    return squares(needs, SIZE)


def learnt(kind: str, ranks: Ranks) -> dict[str, Any]:
    """A look at held-out samples, and a step."""
    objective: Objective = make(kind)
    samples = whole(objective.needs)
    objective.fit(samples)
    own = part(samples, slice(ranks.rank, None, ranks.world_size))
    steps = Steps(objective.train(), learning_rate=1e-3, max_grad_norm=0.5)
    if ranks.world_size > 1:
        before = {name: value.clone() for name, value in objective.state_dict().items()}
        steps.rehearse(own)
        assert all(torch.equal(before[n], v) for n, v in objective.state_dict().items())
    validation = Validation(steps, samples, chunk=4, ranks=ranks, seed=3, remedy="")
    found, again = validation.look(), validation.look()
    losses = steps.take(own, stream(), 0.5)
    return {
        "validation": found,
        "again": again,
        "losses": {name: float(value) for name, value in losses.items()},
        "gradients": {n: p.grad for n, p in objective.named_parameters() if p.grad is not None},
        "state": objective.state_dict(),
    }


def everything(ranks: Ranks) -> dict[str, Any]:
    return {kind: learnt(kind, ranks) for kind in KINDS}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_in_ranks(everything, RANKS, tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    with only_rank() as ranks:
        return everything(ranks)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_two_ranks_are_those_of_one_on_the_joined_batch(
    kind: str, results: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    one, two = (result[kind] for result in results)
    assert all(torch.equal(two["state"][n], value) for n, value in one["state"].items())
    wanted = alone[kind]
    mean = {name: (value + two["losses"][name]) / 2 for name, value in one["losses"].items()}
    assert mean == pytest.approx(wanted["losses"], rel=1e-4, abs=1e-6)
    for name, gradient in wanted["gradients"].items():  # of norm 0.5 or less all together
        torch.testing.assert_close(one["gradients"][name], gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_held_out_loss_does_not_depend_on_the_ranks_and_is_the_same_each_time(
    kind: str, results: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    one, two = (result[kind]["validation"] for result in results)
    assert one == two == results[0][kind]["again"]
    assert one == pytest.approx(alone[kind]["validation"], rel=1e-3, abs=1e-5)


ARGUMENTS = (
    *("--model=vae", "--batch_size=4", "--representation_size=4", "--train_steps=6"),
    *("--obs_sampled_per_rollout=5", "--set=ValidateEveryNSteps=3", "--set=LogEveryNSteps=1"),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stop_of_two_ranks_is_gone_on_with_to_the_last_bit(tmp_path: Path) -> None:
    write_squares(tmp_path / "D")
    calm = run_main(tmp_path, *command(tmp_path, *ARGUMENTS, model_dir="calm"), ranks=RANKS)
    assert calm.code == 0, calm.output
    first = (*ARGUMENTS, "--save_every_n_steps=2")
    with started(tmp_path, *command(tmp_path, *first), ranks=RANKS) as run:
        run.wait_until((tmp_path / "E" / "model.ckpt").exists)
        run.process.terminate()
        run.wait()
    payload = load_payload(tmp_path / "E" / "model.ckpt")
    assert 2 <= payload["updates"] <= 6
    again = run_main(tmp_path, *command(tmp_path, *ARGUMENTS, "--resume"), ranks=RANKS)
    assert again.code == 0, again.output
    one, other = (state_of(tmp_path / name / "model.ckpt") for name in ("calm", "E"))
    assert differences(one, other) == []
    assert rows_of(tmp_path / "calm") == rows_of(tmp_path / "E")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_rank_that_dies_comes_back_under_torchrun(tmp_path: Path) -> None:
    write_squares(tmp_path / "D")
    arguments = (*ARGUMENTS, "--train_steps=400", "--save_every_n_steps=2")
    shared = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    with started(
        tmp_path,
        *command(tmp_path, *arguments),
        ranks=RANKS,
        environment=shared,
        torchrun=("--max-restarts=1",),
    ) as run:
        run.wait_until((tmp_path / "E" / "model.ckpt").exists)
        run.rank(1).kill()
        run.wait_for_words("continued at")
        run.process.terminate()
        run.wait()
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] >= 2


@pytest.mark.slow
def test_a_batch_that_cannot_be_dealt_to_the_ranks_is_refused_once(tmp_path: Path) -> None:
    write_squares(tmp_path / "D")
    ended = run_main(tmp_path, *command(tmp_path, "--batch_size=3"), ranks=RANKS)
    said = ended.output.partition("=====")[0]  # torchrun's page repeats the last word
    assert said.count("--batch_size 3 cannot be dealt to 2 ranks") == 1
