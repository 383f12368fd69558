"""Latents as what a model of sequences observes."""

from agents.encoders.encoder import StateEncoder


class LatentEncoder(StateEncoder):
    """Observations that are vectors, each dimension standardised; latents of a dataset above all.

    Unlike `StateEncoder` it never sees the simulator's own state, which a dataset may hold beside.

    Args:
        preprocessing: of the vectors.
    """

    kind = "latent"
    observes = "observations"
