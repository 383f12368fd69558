"""How large a world model is: a laptop's, or the paper's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Sizes of all stages; what is not named here stands in the recipes of configs/CarRacing.

    Attributes:
        action_repeat: simulator steps of an env step, in all stages: a model of sequences knows no
            others than it has learnt.
        num_rollouts, max_steps: episodes that are collected, and their steps at most.
        encoder_steps, dynamics_steps: optimiser steps.
        generations: of CMA-ES.
        population, trials: controllers of a generation, and the tracks that each of them drives.
        with_memory: whether the controller sees what the model of sequences remembers, or how the
            latent changed.
        episodes: tracks of the evaluation, none of which was seen in training.
    """

    action_repeat: int
    num_rollouts: int
    max_steps: int
    encoder_steps: int
    dynamics_steps: int
    generations: int
    population: int
    trials: int
    with_memory: bool
    episodes: int = 100


SMALL = Preset(
    action_repeat=3,
    num_rollouts=100,
    max_steps=400,
    encoder_steps=2700,
    dynamics_steps=2000,
    generations=110,
    population=16,
    trials=2,
    with_memory=False,
)
# Ha and Schmidhuber 2018, arXiv 1803.10122, appendix A; they stopped after 1,800 generations.
PAPER = Preset(
    action_repeat=1,
    num_rollouts=10_000,
    max_steps=1_000,
    encoder_steps=100_000,
    dynamics_steps=40_000,
    generations=1_800,
    population=64,
    trials=16,
    with_memory=True,
)
PRESETS = {"small": SMALL, "paper": PAPER}
