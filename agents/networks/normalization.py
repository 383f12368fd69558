"""Running mean and deviation, as part of a model's state.

Two verbs, `update` and `normalize`: nothing is learnt of the data by looking at it.
"""

import torch
from jaxtyping import Float32, Float64, Num
from torch import Tensor, nn

from agents.losses.moments import Moments, merge

_VARIANCE_FLOOR = 1e-8  # a pixel that never varied: any other value goes to the clip limit


class RunningMoments(nn.Module):
    """Count, mean and sum of squared deviations of all data so far, in float64 buffers.

    Args:
        shape: of one sample; () for scalars.
    """

    count: Tensor
    mean: Tensor
    m2: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("m2", torch.zeros(shape, dtype=torch.float64))

    def update(self, new: Moments) -> None:
        """Add the moments of new data, of all ranks together; no sample may be added twice.

        Raises:
            ValueError: the data are of another shape.
        """
        merged = merge(self.moments, new)
        self.count.copy_(merged.count)
        self.mean.copy_(merged.mean)
        self.m2.copy_(merged.m2)

    @property
    def moments(self) -> Moments:
        """The statistics as they stand: views of the buffers, not copies."""
        return Moments(self.count, self.mean, self.m2)

    @property
    def variance(self) -> Float64[Tensor, "*shape"]:
        """The variance m2 / count, [*shape]; 1 before any data."""
        counted = self.count > 0
        return torch.where(counted, self.m2 / torch.where(counted, self.count, 1.0), 1.0)

    @property
    def std(self) -> Float64[Tensor, "*shape"]:
        """The standard deviation, [*shape]; 1 before any data, 0 where data never varied."""
        return self.variance.sqrt()

    def normalize(self, x: Num[Tensor, "*axes"], clip: float) -> Float32[Tensor, "*axes"]:
        """Return clamp((x - mean) / √(variance + 1e-8), -clip, clip).

        Burda et al. 2018, arXiv 1810.12894, section 2.4, with clip 5. Differs from its code by
        the 1e-8, which a count that starts at 1e-4 stands for there.

        Args:
            x: [..., *shape], of any number type, uint8 frames too.
            clip: largest magnitude of the result.

        Returns:
            Float32 of the same shape as x.
        """
        mean = self.mean.float()
        scale = torch.rsqrt(self.variance + _VARIANCE_FLOOR).float()
        deviation = x.to(torch.float32, copy=True).sub_(mean)
        return deviation.mul_(scale).clamp_(-clip, clip)
