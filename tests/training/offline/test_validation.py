"""Which held-out samples are looked at, and what training is judged by."""

from pathlib import Path

import pytest
import torch

from agents.encoders.objective import Needs, Samples
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.reward_induced import RecurrentEncoder, RewardInduced
from tests.ranks import only_rank
from tests.training.offline.made import STEPS, VECTORS, vectors, write
from training.offline.loader import size_of
from training.offline.steps import Steps
from training.offline.validation import LOSS, Validation, held_out
from trajectories.reader import open_dataset

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("wanted", "chunk", "num_ranks", "found"),
    [(6, 2, 1, 6), (99, 4, 1, 4), (99, 64, 1, 4), (99, 96, 3, 6), (99, 70, 7, None)],
)
def test_few_windows_are_looked_at_as_far_as_halves_of_a_batch_reach(
    wanted: int, chunk: int, num_ranks: int, found: int | None, tmp_path: Path
) -> None:
    write(tmp_path / "D", [vectors(seed) for seed in range(3)], VECTORS)  # 6 windows
    samples = held_out(
        open_dataset(tmp_path / "D"),
        Needs(("observations", "mask"), STEPS // 2),
        wanted=wanted,
        chunk=chunk,
        num_ranks=num_ranks,
        seed=1,
    )
    assert (None if samples is None else size_of(samples)) == found


def test_labels_of_any_name_leave_the_loss_what_it_is() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(FramePreprocessing(64, 64, 3), feature_size=4)
    module = RewardInduced(encoder, labels=("loss", "total"), steps=3)
    samples = Samples(
        observations=torch.randint(0, 255, (2, 3, 64, 64, 3), dtype=torch.uint8),
        labels=torch.tensor([3.0, 7.0]).expand(2, 3, 2),
        mask=torch.ones(2, 3, dtype=torch.bool),
    )
    losses = module(samples, torch.Generator())
    wanted = losses.total.item()
    assert wanted > max(float(part) for part in losses.parts.values())
    with only_rank() as ranks:
        steps = Steps(module, learning_rate=1e-4, max_grad_norm=None)
        validation = Validation(steps, samples, chunk=2, ranks=ranks, seed=1, remedy="")
        assert validation.look()[LOSS] == pytest.approx(wanted, rel=1e-5)
        taken = steps.take(samples, torch.Generator(), 1.0)
    assert float(taken["losses/total"]) == pytest.approx(wanted, rel=1e-5)
