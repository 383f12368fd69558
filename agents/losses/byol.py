"""BYOL: one view's prediction of the other view's slow projection.

Grill et al. 2020, arXiv 2006.07733.
"""

from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import normalize

NORM_FLOOR = 1e-6  # a shorter vector counts as this long; as in the paper's code


def regression_loss(
    prediction: Float[Tensor, "B D"], target: Float[Tensor, "B D"]
) -> Float32[Tensor, ""]:
    """Squared distance of the two directions, 0 where they agree, 4 where they are opposed.

        L = E[‖q̄ - z̄'‖²] = E[2 - 2 cos(q, z')]

    arXiv 2006.07733, equation 2; bars are vectors of length one. The paper's loss is the sum of
    both assignments of the two views. Computed in float32.

    Args:
        prediction: [B, D], q, the predictor's output on one view, carries the gradient.
        target: [B, D], z', the slow copy's projection of the other view, without gradient.

    Returns:
        The mean over this rank's B samples, a scalar. Where all ranks have equally many, the mean
        over ranks, which DistributedDataParallel takes, is that over all samples.
    """
    predicted = normalize(prediction.float(), dim=1, eps=NORM_FLOOR)
    projected = normalize(target.float(), dim=1, eps=NORM_FLOOR)
    return (predicted - projected).square().sum(dim=1).mean()
