"""PPO from its losses alone, on a corridor without a library: python -m examples.losses_alone.

N walkers start at the left end of a corridor and are rewarded at the right one. Policy and value
are tables. The losses take tensors and know of nothing else.
"""

import torch
from torch import Tensor

from agents.losses.ppo import clipped_surrogate_loss, value_loss
from agents.losses.returns import generalized_advantages

LENGTH, N, T = 8, 64, 16
GAMMA, LAM, CLIP_RANGE, EPOCHS = 0.95, 0.95, 0.2, 4


def walk(logits: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Take T steps; return places and where they led, actions, and whether the goal was met [T, N].

    A walker at the goal starts anew.
    """
    seen, followed, chosen = torch.zeros(3, T, N, dtype=torch.int64)
    for t in range(T):
        seen[t] = places
        chosen[t] = torch.distributions.Categorical(logits=logits[places]).sample()
        followed[t] = (places + 2 * chosen[t] - 1).clamp_min(0)
        places = torch.where(followed[t] == LENGTH, 0, followed[t])
    return seen, followed, chosen, followed == LENGTH


def log_probs_of(logits: Tensor, places: Tensor, actions: Tensor) -> Tensor:
    """Return the log-probabilities of actions [T * N]."""
    return logits.log_softmax(-1)[places, actions]


if __name__ == "__main__":
    torch.manual_seed(0)
    logits = torch.zeros(LENGTH, 2, requires_grad=True)
    values = torch.zeros(LENGTH + 1, requires_grad=True)  # the last one is the goal's
    optimizer = torch.optim.Adam([logits, values], lr=0.05)
    places = torch.zeros(N, dtype=torch.int64)
    for update in range(1, 41):
        with torch.no_grad():
            seen, after, actions, arrived = walk(logits, places)
            places = torch.where(arrived[-1], 0, after[-1])
            discounts = GAMMA * (~arrived).float()
            advantages = generalized_advantages(
                arrived.float(), values[seen], values[after], discounts, LAM * (~arrived).float()
            )
            returns = advantages + values[seen]
            old = log_probs_of(logits, seen, actions)
        for _ in range(EPOCHS):
            new = log_probs_of(logits, seen, actions)
            loss = clipped_surrogate_loss(
                new.flatten(), old.flatten(), advantages.flatten(), CLIP_RANGE
            ) + 0.5 * value_loss(values[seen].flatten(), returns.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if update == 1 or update % 10 == 0:
            print(
                f"update {update}: the goal is reached {arrived.sum() / N:.2f} times in {T} steps"
            )
