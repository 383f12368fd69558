"""How well a model draws the frames that it has encoded: whole, and where things move."""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.encoders.drawing import DrawingObjective
from agents.encoders.objective import Pictures
from agents.losses.reconstruction import ratio_to_mean_picture
from training.offline.showing import MEAN_PICTURE

CHUNK = 64  # pictures that are drawn at once


@dataclass(frozen=True)
class Drawn:
    """Figures of some pictures; errors are means over pixels and channels, of values 0 to 1.

    Attributes:
        error: mean squared error over whole pictures.
        object_error: the same where something moves; None where nothing does.
        ratio, object_ratio: both as multiples of what the mean picture has there; 1.0 is one
            picture for all.
        object_share: of all pixels that move.
    """

    error: float
    object_error: float | None
    ratio: float
    object_ratio: float | None
    object_share: float

    @property
    def has_collapsed(self) -> bool:
        """Whether the drawings are no better than one picture for all, where things move too.

        A loss that looks at the moving object first may draw it well and the rest badly.
        """
        ratios = (self.ratio, self.ratio if self.object_ratio is None else self.object_ratio)
        return min(ratios) >= MEAN_PICTURE


@torch.no_grad()
def draw_all(objective: DrawingObjective, frames: Tensor, features: Tensor) -> Pictures:
    """Return frames [B, ...] as pictures [B, C, H, W], and what is drawn of features [B, D]."""
    original = [objective.frames.pictures(chunk).cpu() for chunk in frames.split(CHUNK)]
    return Pictures(torch.cat(original), draw_only(objective, features))


@torch.no_grad()
def draw_only(objective: DrawingObjective, features: Tensor) -> Tensor:
    """Return what is drawn of features [B, D], pictures [B, C, H, W] on the CPU."""
    return torch.cat([objective.draw(chunk).float().cpu() for chunk in features.split(CHUNK)])


def judge(pictures: Pictures, moving: Tensor) -> Drawn:
    """Return the figures of pictures [B, C, H, W] of which the pixels [B, H, W] move."""
    original, made = pictures
    errors = (made - original).square().mean(dim=1)
    moves = bool(moving.any())
    return Drawn(
        error=float(errors.mean()),
        object_error=float(errors[moving].mean()) if moves else None,
        ratio=float(ratio_to_mean_picture(made, original, torch.ones_like(moving))),
        object_ratio=float(ratio_to_mean_picture(made, original, moving)) if moves else None,
        object_share=float(moving.float().mean()),
    )


def moving_pixels(objective: DrawingObjective, original: Tensor) -> Tensor:
    """Return which pixels [B, H, W] of pictures [B, C, H, W] differ from the scene, on the CPU."""
    return objective.scene.to(original.device).moving(original)
