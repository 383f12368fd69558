"""What stands beside a run's curves in TensorBoard: text, its settings, the order of the charts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from configs.loading import LoadedConfig, dump_config
from configs.options import SECTIONS, all_options
from training.figures.curve_layout import Layout

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

HPARAM_METRICS = ("charts/episodic_return", "intrinsic/mean", "atari/rooms_total", "charts/SPS")
# Keys by which runs are compared most often; those set on the command line come on top.
HPARAM_KEYS = (
    "EnvID",
    "IntrinsicReward",
    "RepresentationLearningParameter",
    "Seed",
    "NumEnv",
    "NumStep",
    "Epoch",
    "MiniBatch",
    "LearningRate",
    "Gamma",
    "IntGamma",
    "ExtCoef",
    "IntCoef",
    "Entropy",
    "PPOEps",
    "UpdateProportion",
    "RepresentationCoef",
    "Precision",
)


@dataclass(frozen=True)
class Pages:
    """What a run shows beside its curves.

    Attributes:
        texts: title -> Markdown.
        hparams: what the tab "HParams" lists of the run.
        layout: see training.figures.curve_layout.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    hparams: Mapping[str, float | str] = field(default_factory=dict)
    layout: Layout = field(default_factory=dict)

    def write(self, writer: "SummaryWriter", env_steps: int) -> None:
        """Write all of it into a run's own file; SummaryWriter.add_hparams would make another."""
        from torch.utils.tensorboard.summary import hparams  # noqa: PLC0415 - brings torch

        for title, text in self.texts.items():
            writer.add_text(title, text, env_steps)
        if self.layout:
            writer.add_custom_scalars(self.layout)
        if self.hparams:
            experiment, start, _ = hparams(dict(self.hparams), dict.fromkeys(HPARAM_METRICS, 0.0))
            for summary in (experiment, start):
                writer._get_file_writer().add_summary(summary)


def configuration_page(loaded: LoadedConfig) -> str:
    """Return every key with its value and where that comes from, as Markdown tables.

    What differs from the defaults is set in bold.
    """
    values = dump_config(loaded.config)
    lines = []
    for section in SECTIONS:
        lines += [f"### {section}", "", "| key | value | set by |", "|---|---|---|"]
        for option in all_options().values():
            if option.section == section:
                source = loaded.sources.get(option.key, "default")
                value = f"`{values[option.key]}`"
                value = value if source == "default" else f"**{value}**"
                lines.append(f"| {option.key} | {value} | {source} |")
        lines.append("")
    return "\n".join(lines)


def versions_page(versions: Mapping[str, str]) -> str:
    """Return names and versions as a Markdown table."""
    rows = [f"| {name} | `{version}` |" for name, version in versions.items()]
    return "\n".join(["| what | version |", "|---|---|", *rows])


def hparams_of(loaded: LoadedConfig) -> dict[str, float | str]:
    """Return the settings to compare runs by; numbers as numbers."""
    values = dump_config(loaded.config)
    by_hand = [key for key, source in loaded.sources.items() if source == "command line"]
    return {key: _number_or_text(values[key]) for key in (*HPARAM_KEYS, *by_hand)}


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
