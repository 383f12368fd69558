"""Two losses that pull at the same weights: the lesser one yields where they disagree.

Yu et al. 2020, "Gradient surgery for multi-task learning", arXiv 2001.06782.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def project_conflict(
    auxiliary: list[Float[Tensor, "..."]], main: list[Float[Tensor, "..."]]
) -> tuple[list[Float[Tensor, "..."]], Float[Tensor, ""]]:
    """Remove from the auxiliary gradient what opposes the main one.

        g_a ← g_a - (g_a · g_m) / ‖g_m‖² g_m    where g_a · g_m < 0

    arXiv 2001.06782, algorithm 1, with g the concatenation of all listed tensors. Differs from it:
    one way only, the main gradient stays as it is. No decision is taken on the host, so a GPU is
    not waited for. The rule is not linear: under several ranks both gradients must be the means
    over ranks already.

    Args:
        auxiliary: g_a, one gradient for each shared parameter.
        main: g_m, of the same parameters in the same order.

    Returns:
        The new g_a, and the cosine of the two gradients before the projection, a scalar; 0 where
        either is zero.

    Raises:
        ValueError: the lists are empty or their shapes differ (they would broadcast silently).
    """
    shapes = [gradient.shape for gradient in auxiliary]
    if not shapes or shapes != [gradient.shape for gradient in main]:
        raise ValueError("the two gradients are not of the same parameters, or of none at all")
    dot = _inner_product(auxiliary, main)
    main_energy = _inner_product(main, main)
    lengths = _inner_product(auxiliary, auxiliary).sqrt() * main_energy.sqrt()
    share = dot.clamp(max=0.0) / torch.where(main_energy > 0, main_energy, 1.0)
    projected = [a - share * m for a, m in zip(auxiliary, main, strict=True)]
    return projected, dot / torch.where(lengths > 0, lengths, 1.0)


def _inner_product(
    one: list[Float[Tensor, "..."]], other: list[Float[Tensor, "..."]]
) -> Float[Tensor, ""]:
    products = [(a * b).sum() for a, b in zip(one, other, strict=True)]
    return torch.stack(products).sum()
