"""What a run's displays are about: the unit that is counted, and which figures are shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.live.history import SpeedOf


@dataclass(frozen=True)
class Chart:
    """A curve: the figure's name, its title, its colour."""

    name: str
    title: str
    colour: str


@dataclass(frozen=True)
class Headline:
    """A figure that is shown even where there is one line only.

    Attributes:
        name: of the figure.
        title: in a line of text.
        word: on a narrow terminal.
        whole: whether it is a count.
    """

    name: str
    title: str
    word: str
    whole: bool = False


@dataclass(frozen=True)
class Subject:
    """What is shown of a run.

    Attributes:
        unit: what is counted up to the end, such as "env steps".
        short_unit: the same where there is little room.
        headlines: the most important figures, the most important one first.
        charts: in the order of importance: a narrow screen shows the first ones.
        losses: name of a figure -> its word on the screen.
        speed_of: returns what is counted per second, as a row of figures tells it; None: it tells
            none.
    """

    unit: str
    short_unit: str
    headlines: tuple[Headline, ...]
    charts: tuple[Chart, ...]
    losses: Mapping[str, str]
    speed_of: SpeedOf


PLAY = Subject(
    unit="env steps",
    short_unit="steps",
    headlines=(
        Headline("charts/episodic_return", "return of the last 100 episodes", "return"),
        Headline("intrinsic/mean", "intrinsic reward", "bonus"),
        Headline("atari/rooms_total", "rooms", "rooms", whole=True),
    ),
    charts=(
        Chart("charts/episodic_return", "return, 100 episodes", "green"),
        Chart("intrinsic/mean", "intrinsic reward", "magenta"),
        Chart("atari/rooms_total", "rooms", "yellow"),
        Chart("losses/entropy", "entropy of the policy", "cyan"),
        Chart("losses/explained_variance", "explained variance", "blue"),
    ),
    losses={
        "losses/policy": "policy",
        "losses/actor": "actor",
        "losses/critic": "critics",
        "losses/value": "value",
        "losses/value_extrinsic": "value",
        "losses/value_intrinsic": "bonus value",
        "losses/predictor": "predictor",
        "losses/representation": "head",
        "losses/entropy": "entropy",
        "losses/approx_kl": "KL",
        "losses/clip_fraction": "clipped",
        "losses/explained_variance": "explained",
        "losses/grad_norm": "gradient",
    },
    speed_of=lambda row: row.get("charts/SPS"),
)
