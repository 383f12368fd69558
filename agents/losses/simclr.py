"""SimCLR: of all samples of a batch, find the other view of the same one.

Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", arXiv
2002.05709.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from agents.losses.global_sum import gather_samples, global_mean

NORM_FLOOR = 1e-6  # a shorter vector counts as this long


def contrastive_loss(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"], temperature: float
) -> Float32[Tensor, ""]:
    """Normalised temperature-scaled cross-entropy (NT-Xent) over the batch of all ranks.

        l(i, j) = -log( exp(s_ij / τ) / Σ_{k≠i} exp(s_ik / τ) ),    s_ij = cos(z_i, z_j)
        L = 1 / 2N Σ_k [ l(k, k') + l(k', k) ]

    arXiv 2002.05709, equation 1 and algorithm 1; k' is the other view of sample k, and the N
    samples of all ranks are each other's negatives. A collective of all ranks; in float32.

    Args:
        first: [B, D], one view's embeddings, carries the gradient; B may differ by rank.
        second: [B, D], the other view's, carries the gradient.
        temperature: τ, 0.5 in the paper's smaller experiments.

    Returns:
        A scalar, equal on all ranks.
    """
    B = first.shape[0]
    own = torch.cat([normalize(view.float(), dim=1, eps=NORM_FLOOR) for view in (first, second)], 1)
    everyone, start = gather_samples(own)  # [N, 2 D]
    N = everyone.shape[0]
    mine = torch.cat(own.chunk(2, dim=1))  # [2 B, D]
    others = torch.cat(everyone.chunk(2, dim=1))  # [2 N, D]
    with torch.autocast(first.device.type, enabled=False):
        similarities = mine @ others.T / temperature
    rows = torch.arange(start, start + B, device=first.device)
    itself, partner = torch.cat([rows, rows + N]), torch.cat([rows + N, rows])
    similarities = similarities.scatter(1, itself.unsqueeze(1), -torch.inf)
    mean, _ = global_mean(cross_entropy(similarities, partner, reduction="none"))
    return mean
