"""The auxiliary gradient yields to the main one, and only where they disagree."""

import pytest
import torch
from torch import Tensor

from agents.losses.gradient_projection import project_conflict

SHAPES = ((3, 4), (4,), (2, 1, 2, 2))


def draw() -> list[Tensor]:
    return [torch.randn(shape) for shape in SHAPES]


def flat(gradient: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in gradient])


def opposed(gradient: list[Tensor]) -> list[Tensor]:
    """Another gradient, against the given one on the whole but not in every tensor."""
    other = [0.3 * noise - part for part, noise in zip(gradient, draw(), strict=True)]
    other[1] = 0.5 * gradient[1]
    assert flat(other) @ flat(gradient) < 0
    return other


def test_a_conflict_is_removed_as_in_the_papers_algorithm() -> None:
    main = [3 * part for part in draw()]
    auxiliary = opposed(main)
    a, m = flat(auxiliary), flat(main)
    expected = a - (a @ m) / (m @ m) * m
    projected, cosine = project_conflict(auxiliary, main)
    torch.testing.assert_close(flat(projected), expected)
    torch.testing.assert_close(cosine, torch.nn.functional.cosine_similarity(a, m, dim=0))
    assert [part.shape for part in projected] == [torch.Size(shape) for shape in SHAPES]
    assert (flat(projected) @ m / m.norm()).item() == pytest.approx(0.0, abs=1e-5)


def test_gradients_that_agree_stay_as_they_are() -> None:
    main = draw()
    auxiliary = [-part for part in opposed(main)]
    projected, cosine = project_conflict(auxiliary, main)
    assert cosine > 0
    assert torch.equal(flat(projected), flat(auxiliary))


def test_only_the_direction_of_the_main_gradient_matters() -> None:
    main = draw()
    auxiliary = opposed(main)
    one, cosine = project_conflict(auxiliary, main)
    other, same = project_conflict(auxiliary, [1e-3 * part for part in main])
    torch.testing.assert_close(flat(other), flat(one), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(same, cosine)


def test_a_gradient_wholly_against_the_main_one_vanishes() -> None:
    main = draw()
    projected, cosine = project_conflict([-2 * part for part in main], main)
    torch.testing.assert_close(flat(projected), torch.zeros_like(flat(main)), rtol=0, atol=1e-6)
    assert cosine.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("zero", ["main", "auxiliary"])
def test_a_zero_gradient_conflicts_with_nothing(zero: str) -> None:
    nothing = [torch.zeros(shape) for shape in SHAPES]
    auxiliary, main = (draw(), nothing) if zero == "main" else (nothing, draw())
    projected, cosine = project_conflict(auxiliary, main)
    assert torch.equal(flat(projected), flat(auxiliary))
    assert cosine.item() == 0.0


def test_nothing_is_decided_on_the_host() -> None:
    """Tensors without data would refuse to be looked at."""
    main = [part.to("meta") for part in draw()]
    projected, cosine = project_conflict(main, main)
    assert [part.shape for part in projected] == [part.shape for part in main]
    assert cosine.shape == ()


def test_neither_gradient_is_written_to() -> None:
    main = draw()
    auxiliary = opposed(main)
    before = flat(auxiliary), flat(main)
    project_conflict(auxiliary, main)
    assert torch.equal(flat(auxiliary), before[0])
    assert torch.equal(flat(main), before[1])


@pytest.mark.parametrize(
    ("auxiliary", "main"),
    [
        ([torch.zeros(1)], [torch.zeros(4)]),
        ([torch.zeros(4)], [torch.zeros(4), torch.zeros(4)]),
        ([], []),
    ],
    ids=["shapes differ", "numbers differ", "nothing"],
)
def test_gradients_of_different_parameters_are_refused(
    auxiliary: list[Tensor], main: list[Tensor]
) -> None:
    with pytest.raises(ValueError, match="not of the same parameters"):
        project_conflict(auxiliary, main)
