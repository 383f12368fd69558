"""Which figures a report shows, under which headings, and how each is read."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A figure of metrics.jsonl and its chart.

    Attributes:
        key: area/quantity.
        title: in words, with the unit.
        logarithmic: drawn by decades where it spans several.
        limits: beyond which curves are cut, None = all is shown.
        hint: how to read it, in a few words.
        at_zero: drawn also where it never was anything but 0.
    """

    key: str
    title: str
    logarithmic: bool = False
    limits: tuple[float, float] | None = None
    hint: str = ""
    at_zero: bool = True


EXPLORING, LEARNING, REPRESENTATION, MACHINE = (
    "Score and exploration",
    "Learning",
    "Representation",
    "Statistics and speed",
)

# Heading -> its charts in their order. Where a game counts several ways, each has a chart.
CHARTS: dict[str, tuple[Quantity, ...]] = {
    EXPLORING: (
        Quantity(
            "charts/episodic_return",
            "Return",
            hint="mean of the last 100 training episodes, raw score",
        ),
        Quantity("intrinsic/mean", "Intrinsic reward", logarithmic=True, hint="after scaling"),
        Quantity(
            "intrinsic/novelty_correlation",
            "Bonus and novelty",
            limits=(-1.0, 1.0),
            hint="rank correlation with 1/√visits over states; below 0 it pays for the old",
        ),
        Quantity("atari/rooms_total", "Rooms entered so far"),
        Quantity("charts/rooms", "Rooms entered per episode"),
        Quantity("atari/rooms_last_100", "Rooms entered in the last 100 episodes"),
        Quantity("charts/episodic_return_max", "Best of the last 100 episodes"),
        Quantity("charts/episodic_length", "Episode length", hint="env steps"),
        Quantity("intrinsic/raw", "Prediction error", logarithmic=True, hint="before scaling"),
    ),
    LEARNING: (
        Quantity("losses/entropy", "Entropy", hint="how undecided the policy is"),
        Quantity(
            "losses/approx_kl", "Approximate KL", hint="how far an update moves the policy, mean"
        ),
        Quantity("losses/kl", "KL of an update", hint="from before its first step to its end"),
        Quantity(
            "losses/greedy_drop",
            "Largest drop of a greedy action",
            hint="what one update took from the probability of a state's likeliest action",
        ),
        Quantity("losses/clip_fraction", "Clipped share of samples"),
        Quantity(
            "losses/explained_variance",
            "Explained variance",
            limits=(-1.0, 1.0),
            hint="of returns by the value; 1 is perfect, below −1 is cut",
        ),
        Quantity("losses/policy", "Policy loss"),
        Quantity("losses/actor", "Actor loss", hint="TD3: minus the first critic's value"),
        Quantity("losses/critic", "Critics' loss", logarithmic=True, hint="of both, TD3"),
        Quantity("losses/value", "Value", hint="mean of the first critic over its batches, TD3"),
        Quantity("losses/value_extrinsic", "Value loss, extrinsic", logarithmic=True),
        Quantity("losses/value_intrinsic", "Value loss, intrinsic", logarithmic=True),
        Quantity("losses/predictor", "Predictor loss", logarithmic=True),
        Quantity("losses/representation", "Representation loss"),
        Quantity("losses/grad_norm", "Gradient norm", logarithmic=True),
        Quantity("charts/learning_rate", "Learning rate"),
    ),
    REPRESENTATION: (
        Quantity("representation/effective_rank", "Effective rank of the embeddings"),
        Quantity("representation/feature_std", "Spread of the embeddings"),
        Quantity("representation/backbone_rank", "Effective rank of the backbone"),
        Quantity("representation/backbone_std", "Spread of the backbone"),
        Quantity("representation/view_alignment", "Alignment of two views"),
        Quantity("representation/gradient_cosine", "Cosine of the head's gradient to PPO's"),
    ),
    MACHINE: (
        Quantity("intrinsic/max", "Largest intrinsic reward", logarithmic=True),
        Quantity("intrinsic/normalizer", "Divisor of the intrinsic reward", logarithmic=True),
        Quantity("observation/mean", "Mean of observations"),
        Quantity("observation/std", "Spread of observations"),
        Quantity("charts/SPS", "Env steps/s"),
        Quantity("system/rss", "Memory of a rank", hint="MB, workers not counted"),
        Quantity("system/worker_restarts", "Workers replaced", at_zero=False),
    ),
}

# Shown elsewhere, or the same as another figure.
_LEFT_OUT = ("time/", "ranks/", "rollout/", "charts/updates", "charts/episodes")
_HEADING_OF_AREA = {
    "charts": EXPLORING,
    "atari": EXPLORING,
    "intrinsic": EXPLORING,
    "losses": LEARNING,
    "representation": REPRESENTATION,
}


def charts_for(keys: Iterable[str]) -> dict[str, list[Quantity]]:
    """Return the charts of the figures that were recorded, by heading; none is without a chart.

    A figure that has no title here is shown under its own name.
    """
    recorded = {key for key in keys if "/" in key and not key.startswith(_LEFT_OUT)}
    found = {
        heading: [quantity for quantity in quantities if quantity.key in recorded]
        for heading, quantities in CHARTS.items()
    }
    titled = {quantity.key for quantities in CHARTS.values() for quantity in quantities}
    for key in sorted(recorded - titled):
        area, _, name = key.partition("/")
        heading = _HEADING_OF_AREA.get(area, MACHINE)
        found[heading].append(Quantity(key, name.replace("_", " ").capitalize()))
    return {heading: quantities for heading, quantities in found.items() if quantities}
