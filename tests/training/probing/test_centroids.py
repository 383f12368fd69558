"""Where the moving object is, and how far a drawing puts it from there."""

import torch

from training.probing.centroids import centroid_errors, centroids


def picture(row: int, column: int, value: float = 1.0) -> torch.Tensor:
    """Return [3, 20, 30] with a block of 3 x 3 around a place."""
    made = torch.full((3, 20, 30), 0.25)
    made[:, row - 1 : row + 2, column - 1 : column + 2] = value
    return made


BACKGROUND = torch.full((3, 20, 30), 0.25)


def test_the_centre_of_a_block_is_its_middle_whatever_its_colour() -> None:
    pictures = torch.stack([picture(5, 7), picture(12, 20, value=0.0)])
    found = centroids(pictures, BACKGROUND, 0.1)
    torch.testing.assert_close(found, torch.tensor([[5.0, 7.0], [12.0, 20.0]]).double())


def test_what_differs_less_than_the_threshold_moves_no_centre() -> None:
    hazy = picture(5, 7)
    hazy[:, 19, 29] = 0.3
    torch.testing.assert_close(
        centroids(hazy[None], BACKGROUND, 0.1), torch.tensor([[5.0, 7.0]]).double()
    )


def test_distances_are_in_pixels_and_objects_that_are_not_drawn_are_counted() -> None:
    original = torch.stack([picture(5, 7), picture(9, 9), BACKGROUND, picture(3, 3)])
    made = torch.stack([picture(8, 11), BACKGROUND, picture(4, 4), picture(3, 3)])
    errors = centroid_errors(*(centroids(each, BACKGROUND, 0.1) for each in (original, made)))
    torch.testing.assert_close(errors.distances, torch.tensor([5.0, 0.0]).double())
    assert errors.num_missed == 1
