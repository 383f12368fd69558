"""Rows 12 and 18: ranks that were started differently, and a gradient that is not finite."""

from pathlib import Path

import pytest
import torch

from configs.loading import dump_config
from configs.schema import Config
from tests.faults.disagreements import VERSIONS, disagree
from tests.faults.figures import Figures, count
from tests.faults.probes import SPIKE
from tests.ranks import run_in_ranks
from tests.records import checkpoint_path, read_status, run_path
from tests.runs import CARTPOLE, started_ranks, write_recipe
from training.checkpoints.storage import load_payload

NAME = "demo"

pytestmark = pytest.mark.timeout(1800)


def test_any_setting_or_version_that_differs_is_named_on_all_ranks(
    figures: Figures, tmp_path: Path
) -> None:
    everyone = run_in_ranks(disagree, 2, tmp_path)
    assert len(everyone[0]) > 0.8 * len(dump_config(Config()))
    for told in zip(*everyone, strict=True):
        with figures.trial(12, "differences refused") as trial:
            for key, message, seconds in told:
                assert "the ranks were started with different settings" in message, key
                assert f"  {key}: rank 0 " in message
                trial.took("told after joining", seconds)
    assert {f"version of {name}" for name in VERSIONS} <= {told.key for told in everyone[0]}


@pytest.mark.slow
def test_a_run_whose_ranks_differ_in_one_key_is_refused_before_its_first_update(
    figures: Figures, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    more = [(), ("--set=Gamma=0.9",)]
    with (
        figures.trial(12, "runs refused"),
        started_ranks(tmp_path, *command, ranks=2, each=more) as runs,
    ):
        ended = runs[0].wait()  # the other leaves the word to it, and waits to be ended
        assert ended.code == 2, ended.output
        assert "Gamma: rank 0 0.999, rank 1 0.9" in ended.output
        assert not run_path(tmp_path, NAME).exists()


SPIKING = CARTPOLE.replace("classic_control", "gymnasium").replace(
    "CartPole-v1", "tests.faults.probes:ScoutSpiking-v0"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SPIKING, id="in turn"),
        pytest.param(
            SPIKING + "OverlapCollection = True\n", id="overlapping", marks=pytest.mark.slow
        ),
    ],
)
def test_a_gradient_that_is_not_finite_on_one_rank_ends_all_and_changes_nothing(
    text: str, figures: Figures, tmp_path: Path
) -> None:
    """The reward is finite, its square is not; it comes in an update that began with a save."""
    for number in range(count(1, 5)):
        folder = tmp_path / str(number)
        recipe = write_recipe(folder, text, TotalEnvSteps=100_000, saveCkptEvery=1)
        command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=1")
        spike = {"SPIKE_STEP": str(60 + 16 * number)}
        with (
            figures.trial(18, "runs that went non-finite"),
            started_ranks(folder, *command, ranks=2, environment=spike) as runs,
        ):
            ended = [run.wait() for run in runs]
            assert [each.code for each in ended] == [5, 5], ended
            status = read_status(folder, NAME)
            assert status["code"] == 5
            assert "the gradient is not finite (policy" in status["reason"]
            saved = load_payload(checkpoint_path(folder, NAME))
            assert status["update"] == saved["updates"]
            assert_nothing_was_learned_from_it(folder, saved["learner"])


def assert_nothing_was_learned_from_it(folder: Path, saved: dict[str, torch.Tensor]) -> None:
    first, second = (
        torch.load(run_path(folder, NAME) / f"non_finite-rank{rank}.pt", weights_only=True)
        for rank in range(2)
    )
    parameters = [name for name in saved if name.startswith("policy.")]
    assert parameters
    assert all(torch.equal(saved[name], first["learner"][name]) for name in parameters)
    assert first["facts"]["config"]["Seed"] == "1"
    assert first["generator"].dtype == torch.uint8
    assert (first["rank"], second["rank"]) == (0, 1)
    largest = [kept["batch"]["returns_extrinsic"].abs().max() for kept in (first, second)]
    assert largest[0] < 1e3 < SPIKE / 10 < largest[1], "only rank 1 met the spike"
