"""Views against loops over pixels; draws are read off frames that hold their own coordinates."""

import itertools
import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from agents.representation.views import (
    ViewKind,
    draw_views,
    make_view,
    random_crop,
    random_intensity,
    random_shift,
)

KINDS: tuple[ViewKind, ...] = get_args(ViewKind)
DRAWING_KINDS = [kind for kind in KINDS if kind != "none"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=generator(seed), dtype=torch.uint8)


def coordinates(B: int, H: int, W: int) -> Tensor:
    """[B, 2, H, W]: the pixel's row, its column."""
    rows, columns = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    return torch.stack([rows, columns]).expand(B, 2, H, W).float()


def cropped_after_padding(stack: Tensor, down: int, right: int, pad: int) -> Tensor:
    """Crop [C, H, W] at an offset in its replicate-padded self, whose pixels are never built."""
    _, H, W = stack.shape
    rows = [min(max(y + down - pad, 0), H - 1) for y in range(H)]
    columns = [min(max(x + right - pad, 0), W - 1) for x in range(W)]
    return stack[:, rows][:, :, columns]


def offsets_of(stack: Tensor, shifted: Tensor, pad: int) -> list[tuple[int, int]]:
    """Return all offsets at which cropping makes `shifted` of `stack` [C, H, W]."""
    return [
        (down, right)
        for down, right in itertools.product(range(2 * pad + 1), repeat=2)
        if torch.equal(cropped_after_padding(stack, down, right, pad), shifted)
    ]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(("H", "W", "pad"), [(8, 8, 4), (6, 11, 3), (5, 3, 1), (2, 3, 4)])
def test_a_shift_crops_all_frames_of_a_padded_stack_at_one_offset(
    H: int, W: int, pad: int, dtype: torch.dtype
) -> None:
    frames = noise(12, 4, H, W).to(dtype)
    shifted = random_shift(frames, generator(), pad)
    assert shifted.dtype == dtype
    assert shifted.shape == frames.shape
    assert shifted.is_contiguous()
    for stack, view in zip(frames, shifted, strict=True):
        offsets = offsets_of(stack, view, pad)
        assert offsets
        assert len(offsets) == 1 or pad >= min(H, W)


def test_a_shift_repeats_the_border() -> None:
    frames = coordinates(200, 12, 12)
    shifted = random_shift(frames, generator())
    most_down = shifted[:, 0, 0, 0] == 4.0
    most_up = shifted[:, 0, -1, 0] == 7.0
    assert most_down.any()
    assert most_up.any()
    assert (shifted[most_down, 0, -5:, :] == 11.0).all()
    assert (shifted[most_up, 0, :5, :] == 0.0).all()


def test_shifts_are_uniform_over_the_offsets_of_both_axes() -> None:
    pad, B = 2, 10_000
    shifted = random_shift(coordinates(B, 5, 5), generator(), pad)
    offsets = shifted[:, :, 2, 2].long()  # the middle pixel came from (down, right)
    counts = torch.bincount(offsets[:, 0] * 5 + offsets[:, 1], minlength=25)
    assert len(counts) == 25
    share = 1.0 / 25.0
    deviation = math.sqrt(B * share * (1.0 - share))
    assert ((counts - B * share).abs() < 4.0 * deviation).all()


def test_a_shift_takes_frames_that_do_not_lie_in_one_piece() -> None:
    frames = noise(3, 9, 8, 4).permute(0, 3, 1, 2)
    shifted = random_shift(frames, generator())
    assert torch.equal(shifted, random_shift(frames.contiguous(), generator()))


def test_a_shift_without_padding_shifts_nothing() -> None:
    frames = noise(3, 4, 6, 6)
    assert torch.equal(random_shift(frames, generator(), pad=0), frames)


def test_intensity_multiplies_a_sample_by_one_factor_within_bounds() -> None:
    B, scale = 4000, 0.05
    frames = noise(B, 4, 3, 3) // 2 + 50  # 50 to 177: nothing reaches 255
    brighter = random_intensity(frames, generator(), scale)
    assert brighter.dtype == torch.float32
    factors = (brighter / frames).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    draws = (factors[:, 0] - 1.0) / scale
    assert draws.abs().max() <= 2.0 + 1e-4
    for z in (-1.9, -1.0, 0.0, 1.0, 1.9):
        below = 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
        deviation = math.sqrt(below * (1.0 - below) / B)
        assert (draws < z).float().mean() == pytest.approx(below, abs=4.0 * deviation)
    clipped = (draws.abs() > 2.0 - 1e-4).float().mean()
    assert clipped == pytest.approx(0.0455, abs=0.014)


def test_intensity_leaves_no_pixel_above_white_and_black_black() -> None:
    frames = torch.tensor([0, 250], dtype=torch.uint8).view(1, 2, 1, 1).expand(500, 2, 4, 4)
    brighter = random_intensity(frames, generator())
    assert (brighter[:, 0] == 0.0).all()
    assert brighter.max() == 255.0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_intensity_leaves_what_it_was_given_alone(dtype: torch.dtype) -> None:
    frames = noise(4, 2, 5, 5).to(dtype)
    before = frames.clone()
    assert not torch.equal(random_intensity(frames, generator()), before)
    assert torch.equal(frames, before)


def windows_of(cropped: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Read height, width, top and left (each [B], in pixels) off cropped `coordinates`.

    Output pixel j lies (j + 1/2) / W along a window that starts at `left`, and the centre of the
    input's pixel i at i + 1/2. The outermost pixels may lie beyond the last centre.
    """
    H, W = cropped.shape[2:]
    rows, columns = cropped[:, 0, :, 0], cropped[:, 1, 0, :]
    height = (rows[:, -2] - rows[:, 1]) / (H - 3) * H
    width = (columns[:, -2] - columns[:, 1]) / (W - 3) * W
    top = rows[:, 1] + 0.5 - 1.5 * height / H
    left = columns[:, 1] + 0.5 - 1.5 * width / W
    return height, width, top, left


def bilinear(frame: Tensor, y: float, x: float) -> float:
    """Return frame [H, W] at a point in pixels from its corner; beyond the centres, the border."""
    H, W = frame.shape
    y, x = min(max(y - 0.5, 0.0), H - 1.0), min(max(x - 0.5, 0.0), W - 1.0)
    top, left = min(int(y), H - 2), min(int(x), W - 2)
    below, beside = y - top, x - left
    corners = frame[top : top + 2, left : left + 2].double()
    upper = corners[0, 0] * (1.0 - beside) + corners[0, 1] * beside
    lower = corners[1, 0] * (1.0 - beside) + corners[1, 1] * beside
    return float(upper * (1.0 - below) + lower * below)


def test_a_crop_enlarges_one_window_of_all_frames_of_a_stack() -> None:
    B, H, W = 4, 8, 11
    frames = torch.cat([coordinates(B, H, W), noise(B, 2, H, W).float()], dim=1)
    cropped = random_crop(frames, generator(), 0.5)
    windows = torch.stack(windows_of(cropped[:, :2]), dim=1).double()
    for b, c, i, j in itertools.product(range(B), (2, 3), range(H), range(W)):
        height, width, top, left = windows[b].tolist()
        wanted = bilinear(frames[b, c], top + (i + 0.5) * height / H, left + (j + 0.5) * width / W)
        assert cropped[b, c, i, j].item() == pytest.approx(wanted, abs=0.01)


def test_crops_keep_the_aspect_and_at_least_the_smallest_area_and_lie_anywhere_inside() -> None:
    B, H, W = 2000, 12, 20
    cropped = random_crop(coordinates(B, H, W), generator(), 0.8)
    height, width, top, left = windows_of(cropped)
    torch.testing.assert_close(height / H, width / W, atol=1e-4, rtol=0.0)
    shares = {
        "area": (height * width / (H * W) - 0.8) / 0.2,
        "top": top / (H - height),
        "left": left / (W - width),
    }
    roomy = width < 0.99 * W  # where no room is left, a position is 0 / 0
    for name, share in shares.items():
        among = share if name == "area" else share[roomy]
        assert among.min() > -0.01, name
        assert among.max() < 1.01, name
        assert among.mean() == pytest.approx(0.5, abs=0.03), name
        assert among.std() == pytest.approx(math.sqrt(1.0 / 12.0), abs=0.02), name


def test_a_crop_of_the_whole_area_changes_nothing() -> None:
    frames = noise(5, 4, 9, 13)
    cropped = random_crop(frames, generator(), smallest_area=1.0)
    assert cropped.dtype == torch.float32
    torch.testing.assert_close(cropped, frames.float(), atol=1e-2, rtol=0.0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_a_view_has_the_shape_and_the_range_of_what_it_shows_and_leaves_that_alone(
    kind: ViewKind, dtype: torch.dtype
) -> None:
    frames = noise(30, 4, 10, 14).to(dtype)
    before = frames.clone()
    seen = make_view(kind)(frames, generator())
    assert torch.equal(frames, before)
    assert seen.shape == frames.shape
    assert seen.dtype in {dtype, torch.float32}
    assert seen.min() >= 0.0
    assert seen.max() <= 255.0 + 1e-3


@pytest.mark.parametrize("kind", DRAWING_KINDS)
def test_a_sample_has_its_own_draw_and_its_frames_share_it(kind: ViewKind) -> None:
    frames = noise(1, 1, 12, 12).expand(16, 4, 12, 12)
    seen = make_view(kind)(frames, generator())
    torch.testing.assert_close(seen, seen[:, :1].expand_as(seen))
    assert len(seen.flatten(1).unique(dim=0)) > 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_is_the_generators_whatever_the_frames_hold(kind: ViewKind) -> None:
    view, frames = make_view(kind), noise(6, 4, 10, 10)
    one, two, black = generator(7), generator(7), generator(7)
    torch.manual_seed(0)
    first = view(frames, one)
    torch.manual_seed(1)
    assert torch.equal(first, view(frames, two))
    view(torch.zeros_like(frames), black)
    assert torch.equal(one.get_state(), two.get_state())
    assert torch.equal(one.get_state(), black.get_state())
    assert torch.equal(view(frames, one), first) == (kind == "none")


def test_shift_and_intensity_are_a_shift_and_then_a_factor() -> None:
    frames = noise(8, 4, 10, 10) // 2
    both, apart = generator(), generator()
    seen = make_view("shift+intensity")(frames, both)
    assert torch.equal(seen, random_intensity(random_shift(frames, apart), apart))


def test_the_view_called_none_returns_what_it_was_given_and_draws_nothing() -> None:
    frames, stream = noise(2, 4, 6, 6), generator()
    assert make_view("none")(frames, stream) is frames
    assert torch.equal(stream.get_state(), generator().get_state())


def test_a_pair_shows_the_observations_twice_under_draws_of_their_own() -> None:
    frames = noise(16, 4, 9, 9)
    pair = draw_views(frames, None, random_shift, generator())
    stream = generator()
    assert torch.equal(pair.first, random_shift(frames, stream))
    assert torch.equal(pair.second, random_shift(frames, stream))
    assert not torch.equal(pair.first, pair.second)


def test_a_pair_shows_the_neighbours_second_under_the_same_draws() -> None:
    frames, neighbours = noise(16, 4, 9, 9), noise(16, 4, 9, 9, seed=1)
    pair = draw_views(frames, neighbours, random_shift, generator())
    stream = generator()
    assert torch.equal(pair.first, random_shift(frames, stream))
    assert torch.equal(pair.second, random_shift(neighbours, stream))
