"""Random network distillation: the bonus, and the loss that trains the predictor.

Burda et al. 2018, arXiv 1810.12894.
"""

import torch
from jaxtyping import Float, Num
from torch import Tensor


def prediction_error(
    predicted: Float[Tensor, "B D"], target: Float[Tensor, "B D"]
) -> Float[Tensor, " B"]:
    """Error of the predictor on each sample, both its bonus and its loss.

        e = 1/D Σ_d (f̂_d(s') - f_d(s'))²

    arXiv 1810.12894, section 2.2. Differs from the text, ‖f̂ - f‖², by the factor 1/D: as in the
    paper's code. The bonus is divided by a running deviation, so only the loss notices.

    Args:
        predicted: [B, D], f̂(s'), carries the predictor's gradient.
        target: [B, D], f(s'), without gradient.

    Returns:
        [B], the mean over D.
    """
    return (predicted - target).square().mean(dim=1)


def masked_mean(errors: Float[Tensor, " B"], kept_total: Num[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean of the selected errors, Σ e / K, with a count K that may span several ranks.

    Args:
        errors: [B], the errors of this rank's selected samples.
        kept_total: K, a scalar, not negative. The results of ranks that share the global K add up
            to the mean over all of their samples; with K / W their mean over W ranks is that.

    Returns:
        A scalar; 0 where nothing is selected.
    """
    return errors.sum() / torch.where(kept_total > 0, kept_total, 1)
