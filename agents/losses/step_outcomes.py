"""What a step brings beside what is seen: a reward, and perhaps the end of the episode.

Ha and Schmidhuber 2018, "World Models", arXiv 1803.10122, section 4: the model of a dream
also predicts whether the episode ends. All is computed in float32.
"""

from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def ending_error(
    logits: Float[Tensor, "*shape"], ended: Bool[Tensor, "*shape"]
) -> Float32[Tensor, "*shape"]:
    """Cross-entropy of a step being the last one.

        e = -d log p - (1 - d) log(1 - p),    p = 1 / (1 + exp(-a))

    Bishop 2006, "Pattern Recognition and Machine Learning", equation 4.90.

    Args:
        logits: [...], a, carries the gradient.
        ended: [...], d.

    Returns:
        [...], in nats.
    """
    return binary_cross_entropy_with_logits(logits.float(), ended.float(), reduction="none")


def reward_error(
    predicted: Float[Tensor, "*shape"],
    rewards: Float[Tensor, "*shape"],
    deviation: Float32[Tensor, ""],
) -> Float32[Tensor, "*shape"]:
    """Squared error in units of the rewards' variance, ((r̂ - r) / s)².

    Args:
        predicted: [...], r̂, carries the gradient.
        rewards: [...], r.
        deviation: s, so that a reward in any unit weighs as much as a latent.

    Returns:
        [...]; 1 on average for the mean reward.
    """
    return ((predicted.float() - rewards.float()) / deviation).square()
