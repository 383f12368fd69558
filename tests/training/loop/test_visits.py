"""The visits that a checkpoint holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.ranks import bytes_tensor
from tests.ranks import only_rank
from training.checkpoints.storage import Payload, pack
from training.figures.coverage import Coverage
from training.loop.frame_cells import NUM_CELLS, coarse_cells
from training.loop.visits import VisitRecorder, empty_coverage, visits_until
from training.playing.maps import StateMap
from workers.environments.base import EnvironmentSpec

CAR = EnvironmentSpec(
    "MountainCar-v0",
    (2,),
    "float32",
    discrete=True,
    num_actions=3,
    observation_low=(-1.2, -0.07),
    observation_high=(0.6, 0.07),
)
FRAMES = EnvironmentSpec("PongNoFrameskip-v4", (1, 84, 84), "uint8", discrete=True, num_actions=6)


def filled_coverage() -> Coverage:
    """Visits of states within -1 and 1, most of them near 0."""
    coverage = Coverage([-1.0, -1.0], [1.0, 1.0])
    coverage.add(np.random.default_rng(0).normal(0.0, 0.3, (500, 2)))
    return coverage


def payload_of(*counts: torch.Tensor) -> Payload:
    return {"ranks": [bytes_tensor(pack({"visits": each})) for each in counts]}


def test_the_visits_of_all_ranks_are_added() -> None:
    first, second = (torch.randint(0, 9, (40, 40)) for _ in range(2))
    coverage = visits_until(payload_of(first, second), CAR)
    assert coverage is not None
    assert (coverage.counts == (first + second).numpy()).all()
    assert coverage.low.tolist() == pytest.approx([-1.2, -0.07])


def test_frames_are_not_counted() -> None:
    assert empty_coverage(FRAMES) is None
    assert visits_until(payload_of(torch.zeros(0, dtype=torch.int64)), FRAMES) is None


def recorded(path: Path, spec: EnvironmentSpec, rank: int, payload: Payload) -> torch.Tensor:
    """Return what a rank counts on from, of a checkpoint of other ranks than there are."""
    with only_rank() as ranks:
        ranks.rank = rank
        recorder = VisitRecorder(spec, ranks, path / "visits.npz", coarse_cells)
        recorder.restore_first(payload)
    return recorder.state()


@pytest.mark.parametrize(("spec", "shape"), [(CAR, (40, 40)), (FRAMES, (NUM_CELLS,))])
def test_of_another_number_of_ranks_the_first_one_takes_all_visits(
    spec: EnvironmentSpec, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Also of frames, whose table is not drawn."""
    first, second = (torch.randint(0, 9, shape) for _ in range(2))
    payload = payload_of(first, second)
    assert torch.equal(recorded(tmp_path, spec, 0, payload), first + second)
    assert not recorded(tmp_path, spec, 1, payload).any()


def test_frames_that_the_checkpoint_did_not_count_are_counted_from_nothing(tmp_path: Path) -> None:
    payload = payload_of(torch.zeros(0, dtype=torch.int64))
    assert recorded(tmp_path, FRAMES, 0, payload).shape == (NUM_CELLS,)


def test_visits_that_cannot_be_written_end_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with only_rank() as ranks:
        recorder = VisitRecorder(CAR, ranks, tmp_path / "file" / "visits.npz", None)
        recorder.save()
    assert "visits.npz" in caplog.text
    assert "the next save tries again" in caplog.text


def test_a_map_of_states_with_any_bounds_is_drawn() -> None:
    for low, high in ((900.0, np.inf), (-np.inf, -900.0), (1.0, 1.0), (-3e38, 3e38)):
        spec = replace(CAR, observation_low=(low,) * 2, observation_high=(high,) * 2)
        coverage = empty_coverage(spec)
        assert coverage is not None
        states = np.array([[-3e38, 0.0], [900.0, 3e38], [1.0, 1.0]], np.float32)
        coverage.add(states)
        assert coverage.counts.sum() == 3
        picture = StateMap(coverage, states, ("x", "y"), 200, 300).draw(2)
        assert picture.shape == (200, 300, 3)
