"""Random views of an input, of which a representation is to be the same.

Axes: B samples, C = S frames times the channels of one, H W a frame. Pixels are 0 to 255 before and
after. The frames of a stack share one draw, so that motion within it stays what it was; every
sample has a draw of its own.

Two customary views are absent because they lose positions. A flip makes right of left, where the
policy acts differently. A crop to a small window (8 to 100 % of the area in Grill et al. 2020,
arXiv 2006.07733) makes equal what differs only in where the player stands, or cuts the player off.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

# Frames [B, C, H, W] and a generator on their device -> frames of the same shape.
View = Callable[[Tensor, torch.Generator], Tensor]
ViewKind = Literal["shift", "shift+intensity", "crop", "none"]


class ViewPair(NamedTuple):
    """Two views whose representations are to agree sample by sample, [B, C, H, W] each."""

    first: Tensor
    second: Tensor


def draw_views(
    observations: Tensor, neighbours: Tensor | None, view: View, generator: torch.Generator
) -> ViewPair:
    """Draw two views of each sample, independently.

    Args:
        observations: [B, C, H, W].
        neighbours: [B, C, H, W], shown in the second view instead of the observations: for
            instance the inputs that followed them.
        view: draws one view.
        generator: on the frames' device.
    """
    first = view(observations, generator)
    return ViewPair(first, view(observations if neighbours is None else neighbours, generator))


def make_view(kind: ViewKind, pad: int = 4) -> View:
    """Return the view of that name; "none" leaves the frames as they are and draws nothing.

    Args:
        kind: its name.
        pad: pixels that a shift moves the frames by at most.
    """
    match kind:
        case "shift":
            return partial(random_shift, pad=pad)
        case "shift+intensity":
            return partial(_shift_and_intensity, pad=pad)
        case "crop":
            return random_crop
        case "none":
            return _unchanged


def random_shift(frames: Tensor, generator: torch.Generator, pad: int = 4) -> Tensor:
    """Shift each sample by up to `pad` pixels along both axes; its border is repeated.

    That is: pad every side by `pad` pixels, crop back at an offset uniform in [0, 2 pad]² (the one
    in the middle shifts nothing). Kostrikov et al. 2020, arXiv 2004.13649, and Schwarzer et al.
    2020, arXiv 2007.05929, both with 4 pixels.

    Args:
        frames: [B, C, H, W] of any type, which the result keeps; no pixel is interpolated.
        generator: on the frames' device.
        pad: pixels.
    """
    B, C, H, W = frames.shape
    device = frames.device
    down, right = torch.randint(0, 2 * pad + 1, (2, B, 1), generator=generator, device=device)
    sides = (-1, -1, -1, pad)
    padded = torch.cat(
        [frames[..., :1].expand(sides), frames, frames[..., -1:].expand(sides)], dim=3
    )
    # A row of the result is W neighbours in memory, and a row is copied much faster than its pixels
    # are gathered. Rows beyond the border need no padding: the nearest one is copied again.
    rows = (torch.arange(H, device=device) + down - pad).clamp(0, H - 1)  # [B, H]
    planes = torch.arange(B * C, device=device).view(B, C, 1)
    starts = (planes * H + rows.unsqueeze(1)) * (W + 2 * pad) + right.unsqueeze(1)  # [B, C, H]
    windows = padded.flatten().unfold(0, W, 1)
    return windows.index_select(0, starts.flatten()).view(B, C, H, W)


def random_intensity(frames: Tensor, generator: torch.Generator, scale: float = 0.05) -> Tensor:
    """Make each sample brighter or darker: x (1 + scale clip(r, -2, 2)), r ~ N(0, 1).

    Kostrikov et al. 2020, arXiv 2004.13649, with the scale of Schwarzer et al. 2020, arXiv
    2007.05929. Differs from both: what exceeds 255 becomes 255.

    Args:
        frames: [B, C, H, W], uint8 or float32.
        generator: on the frames' device.
        scale: half the largest change, as a share of the value.

    Returns:
        [B, C, H, W], float32.
    """
    draws = torch.randn(len(frames), 1, 1, 1, generator=generator, device=frames.device)
    factors = 1.0 + scale * draws.clamp(-2.0, 2.0)
    return frames.to(torch.float32, copy=True).mul_(factors).clamp_(0.0, 255.0)


def random_crop(frames: Tensor, generator: torch.Generator, smallest_area: float = 0.8) -> Tensor:
    """Enlarge a window of each sample to the full size, bilinearly.

    The window's share of the area is uniform in [smallest_area, 1], its position uniform, its
    aspect that of the frame. A milder form of the crop of Grill et al. 2020, arXiv 2006.07733.

    Args:
        frames: [B, C, H, W], uint8 or float32.
        generator: on the frames' device.
        smallest_area: in (0, 1].

    Returns:
        [B, C, H, W], float32.
    """
    draws = torch.rand(3, len(frames), generator=generator, device=frames.device)
    side = (smallest_area + (1.0 - smallest_area) * draws[0]).sqrt()
    x, y = (2.0 * draws[1:] - 1.0) * (1.0 - side)  # the window's centre; the frame is [-1, 1]²
    zero = torch.zeros_like(side)
    to_window = torch.stack([side, zero, x, zero, side, y], dim=1).view(-1, 2, 3)
    with torch.autocast(frames.device.type, enabled=False):  # positions need all their digits
        grid = nn.functional.affine_grid(to_window, list(frames.shape), align_corners=False)
        return nn.functional.grid_sample(
            frames.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )


def _shift_and_intensity(frames: Tensor, generator: torch.Generator, pad: int) -> Tensor:
    """Shift, then change the intensity; the order of arXiv 2007.05929."""
    return random_intensity(random_shift(frames, generator, pad), generator)


def _unchanged(frames: Tensor, generator: torch.Generator) -> Tensor:
    return frames
