"""How large each measurement is: as on a GPU, or tiny for the CPU."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import PROJECT

RECIPE = PROJECT / "configs" / "MontezumaRevenge" / "config_rnd512.conf"
TINY_NETWORKS = (
    "NumStep=8",
    "Epoch=1",
    "MiniBatch=2",
    "ConvChannels=4,8,8",
    "HiddenSize=16",
    "FeatureDim=16",
    "RNDFeatureDim=16",
    "RNDHiddenSize=16",
    "RNDConvChannels=4,8,8",
    "LearnerThreads=1",
)


@dataclass(frozen=True)
class Sizes:
    """The sizes of all measurements.

    Attributes:
        settings: "Key=Value" beside the recipe, in all runs.
        environments: a timed run for each.
        updates: of a timed run, that count.
        emulators: environments of the emulators' limit.
        emulator_steps, emulator_turns: env steps of a turn, and how many.
        curve_environments, curve_updates: of the run that is stopped half way and resumed.
        recipe: the .conf file.
    """

    settings: tuple[str, ...]
    environments: tuple[int, ...]
    updates: int
    emulators: int
    emulator_steps: int
    emulator_turns: int
    curve_environments: int
    curve_updates: int
    recipe: Path = RECIPE


ON_A_GPU = Sizes((), (256, 512, 1024), 2, 512, 51_200, 3, 512, 6)
TINY = Sizes(TINY_NETWORKS, (2, 4), 1, 4, 80, 1, 4, 4)
