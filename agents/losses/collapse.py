"""Whether a representation has collapsed: figures to watch, without gradient.

Each is of this rank's samples, and finite wherever the embeddings are.
"""

import math

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import normalize


@torch.no_grad()
def effective_rank(embeddings: Float[Tensor, "B D"]) -> Float32[Tensor, ""]:
    """Number of directions that the embeddings fill, weighted by how far they reach into each.

        p_k = σ_k / Σ_l σ_l,    erank = exp(- Σ_k p_k log p_k)

    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality", definition
    1, of the singular values σ of the centred embeddings. They are taken as the roots of the
    smaller Gram matrix's eigenvalues, in float64: the root of float32's rounding would look like
    many small directions. For a logging clock, not for every minibatch: cubic in min(B, D).

    Args:
        embeddings: [B, D].

    Returns:
        A scalar, 1 to min(B - 1, D); 1 for a single sample and where all samples are equal, NaN
        where an embedding is not finite.
    """
    values = embeddings.double()
    centred = values - values.mean(dim=0)
    gram = centred @ centred.T if centred.shape[0] <= centred.shape[1] else centred.T @ centred
    finite = gram.isfinite().all()
    energies = torch.linalg.eigvalsh(torch.where(finite, gram, 0.0))
    rounding = energies.shape[0] * torch.finfo(torch.float64).eps * energies.sum()
    singular_values = torch.where(energies > rounding, energies, 0.0).sqrt()
    total = singular_values.sum()
    shares = singular_values / torch.where(total > 0, total, 1.0)
    rank = torch.special.entr(shares).sum().exp()
    return torch.where(finite, rank, math.nan).float()


@torch.no_grad()
def feature_spread(embeddings: Float[Tensor, "B D"]) -> Float32[Tensor, ""]:
    """Mean deviation of the features of normalised embeddings, in units of an even spread.

        s = √D · 1/D Σ_d std_b(z_bd / ‖z_b‖)

    Chen and He 2021, arXiv 2011.10566, section 4.1, whose measure is 1/√D for directions spread
    evenly; multiplied by √D it is comparable between widths.

    Args:
        embeddings: [B, D]; a zero vector stays zero.

    Returns:
        A scalar: about 1 for directions spread evenly, 0 where all are the same.
    """
    directions = normalize(embeddings.float(), dim=1)
    return math.sqrt(embeddings.shape[1]) * directions.std(dim=0, correction=0).mean()


@torch.no_grad()
def view_alignment(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]
) -> Float32[Tensor, ""]:
    """Mean cosine of two views' embeddings, E[cos(z, z')].

    High alignment is a success only where the embeddings have not collapsed.

    Args:
        first: [B, D], z.
        second: [B, D], z' of the same samples.

    Returns:
        A scalar, -1 to 1; a zero vector counts as at a right angle to any other.
    """
    return (normalize(first.float(), dim=1) * normalize(second.float(), dim=1)).sum(dim=1).mean()
