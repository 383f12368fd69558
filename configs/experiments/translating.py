"""From an experiment of RLlib's to the settings of a recipe: pure, without torch or a simulator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from configs.errors import ConfigurationError
from configs.experiments.keys import (
    ALGORITHMS,
    CONFIG,
    DEFAULTS,
    EXPERIMENT,
    MODEL,
    OF_ATARI,
    STOP,
    Rule,
)
from configs.experiments.networks import share_layers, take_model
from configs.experiments.reading import Entry
from configs.experiments.sizes import take_end, take_sizes
from configs.experiments.table import Translation
from configs.options import nearest
from configs.schema import EnvironmentSection

EnvironmentOf = Callable[[str], Sequence[str]]
"""From an environment's id to the keys that make a recipe mean it, as Key=Value."""

_TABLES: Mapping[str, Mapping[str, Rule]] = {
    "at the experiment's top": EXPERIMENT,
    "in stop:": STOP,
    "in config:": CONFIG,
    "in model:": MODEL,
}
# What RLlib's PPO does unasked, and nothing does here.
_WITHOUT = {
    "kl_coeff": "0.2 in RLlib, and nothing of the kind here",
    "vf_clip_param": "10 in RLlib, a bound of the value's change (to Ray 1.11) or of its squared "
    "error; none here, see ClipValueLoss",
}


@dataclass(frozen=True)
class Beside:
    """What an experiment says that no key of a recipe does.

    Attributes:
        num_workers: worker processes of a rank; None where that is left open.
        local_dir: where logs and checkpoints go; None for the current folder.
    """

    num_workers: int | None
    local_dir: str | None


def translate(
    experiment: Entry, to: Translation, *, num_ranks: int, environment_of: EnvironmentOf
) -> Beside:
    """Set the keys of a recipe that mean what an experiment says; refuse all that cannot be.

    Args:
        experiment: what stands below its name.
        to: receives keys, notes and problems.
        num_ranks: agent processes that share its environments.
        environment_of: what knows the environments' ids.
    """
    top = to.read(_mapping(experiment), EXPERIMENT, _TABLES)
    stop = to.read(_mapping(top.get("stop")), STOP, _TABLES)
    config = to.read(_mapping(top.get("config")), CONFIG, _TABLES)
    model = to.read(_mapping(config.get("model")), MODEL, _TABLES)
    _check_algorithm(top, experiment, to)
    section = _take_environment(top, config, experiment, to, environment_of)
    num_workers = take_sizes(config, to, num_ranks)
    take_end(stop, config, to, experiment)
    _take_rest(config, to, num_ranks)
    take_model(model, to)
    if section is not None:
        _take_observations(config, model, section, to)
    if "checkpoint_freq" in top and top["checkpoint_freq"].value:
        entry = top["checkpoint_freq"]
        to.set("saveCkptEvery", entry.value, "checkpoint_freq", entry.line)
    for name in (name for name in _WITHOUT if name not in config):
        to.notes.append(f"{to.path}: {name} is not set: {_WITHOUT[name]}")
    to.set_by_default(DEFAULTS)
    local_dir = top.get("local_dir")
    return Beside(num_workers, None if local_dir is None else str(local_dir.value))


def _mapping(entry: Entry | None) -> Mapping[str, Entry]:
    return entry.value if entry is not None and isinstance(entry.value, dict) else {}


def _check_algorithm(top: Mapping[str, Entry], experiment: Entry, to: Translation) -> None:
    if "run" not in top:
        to.miss("run", experiment, "say run: PPO")
    elif top["run"].value not in ALGORITHMS:
        near = nearest(str(top["run"].value), ALGORITHMS)
        hint = f"did you mean {near}?" if near else "say run: PPO"
        to.refuse("run", top["run"], f"PPO is what is trained from such files; {hint}")


def _take_environment(
    top: Mapping[str, Entry],
    config: Mapping[str, Entry],
    experiment: Entry,
    to: Translation,
    environment_of: EnvironmentOf,
) -> EnvironmentSection | None:
    """Set the environment; return how it is seen, None where there is none."""
    entry = top.get("env") or config.get("env")
    if entry is None:
        to.miss("env", experiment, "say env: CartPole-v1, or another id")
        return None
    if "env" in top and "env" in config and top["env"].value != config["env"].value:
        to.refuse("env", config["env"], f"line {top['env'].line} names another; say it once")
    try:
        pairs = [text.split("=", 1) for text in environment_of(str(entry.value))]
    except ConfigurationError as error:
        to.problems.add(f"{to.path}:{entry.line}: {error}", entry.line)
        return None
    for key, value in pairs:
        to.set(key, value, "env", entry.line)
    try:
        return EnvironmentSection.model_validate(dict(pairs))
    except ValidationError:  # told of with the other keys
        return None


def _take_rest(config: Mapping[str, Entry], to: Translation, num_ranks: int) -> None:
    """Set what is neither a size nor a network, where it is not our key under another name."""
    for name, key in (("seed", "Seed"), ("horizon", "MaxStepPerEpisode")):
        if name in config and config[name].value is not None:
            to.set(key, config[name].plain, name, config[name].line)
    if "grad_clip" in config and config["grad_clip"].value is not None:
        entry = config["grad_clip"]
        to.set("UseGradClipping", "True", "grad_clip", entry.line)
        to.set("MaxGradNorm", entry.plain, "grad_clip", entry.line)
    if "normalize_actions" in config:
        entry = config["normalize_actions"]
        mapping = "bounds" if entry.value else "clip"
        to.set("ActionMapping", mapping, "normalize_actions", entry.line)
    if "clip_rewards" in config and config["clip_rewards"].value is not None:
        entry = config["clip_rewards"]
        reward = "sign" if entry.value else "raw"
        to.set("LearningReward", reward, "clip_rewards", entry.line)
    if "no_done_at_end" in config and config["no_done_at_end"].value:
        text = "values go on behind limits; RLlib lets them go on behind terminal states as well"
        to.note("no_done_at_end", config["no_done_at_end"], text)
    if "num_gpus" in config:
        _check_gpus(config["num_gpus"], to, num_ranks)


def _check_gpus(entry: Entry, to: Translation, num_ranks: int) -> None:
    assert isinstance(entry.value, int | float)
    if entry.value > 1 and entry.value != num_ranks:
        to.refuse(
            "num_gpus",
            entry,
            f"each GPU has an agent process of its own here: torchrun --standalone "
            f"--nproc_per_node {entry.plain} main.py ...",
        )
    elif entry.value == 0:
        to.note(
            "num_gpus", entry, 'a GPU is used where there is one; CUDA_VISIBLE_DEVICES="" hides it'
        )


def _take_observations(
    config: Mapping[str, Entry],
    model: Mapping[str, Entry],
    section: EnvironmentSection,
    to: Translation,
) -> None:
    """Set what hangs on whether frames or states are seen."""
    pixels = section.observes_pixels
    kept = config.get("observation_filter", Entry("NoFilter", 0))
    if kept.value == "MeanStdFilter" and pixels:
        to.refuse(
            "observation_filter", kept, "it is about states; frames have a scale of their own"
        )
    elif not pixels:
        scaling = "none" if kept.value == "NoFilter" else "running"
        to.set("ObservationScaling", scaling, "observation_filter", kept.line)
    for shared in (
        table["vf_share_layers"] for table in (config, model) if "vf_share_layers" in table
    ):
        share_layers(shared, to, observes_pixels=pixels)
    if section.env_type == "atari":
        sticky = str(section.env_id.endswith("-v5"))  # part of these ids: 0.25
        to.set_by_default({**OF_ATARI, "StickyAction": sticky})
