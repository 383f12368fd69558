"""From an experiment file to a checked configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from configs.errors import ConfigurationError
from configs.experiments.reading import Entry, read_yaml
from configs.experiments.table import Translation
from configs.experiments.translating import Beside, EnvironmentOf, translate
from configs.loading import LoadedConfig, dump_config, load_settings
from configs.options import SECTIONS, all_options, nearest
from configs.reading import Problems, Setting, printable


@dataclass(frozen=True)
class Experiment:
    """An experiment as a run of ours.

    Attributes:
        name: as in the file.
        loaded: the checked configuration.
        beside: what it says that no key of a recipe does.
        origins: for each key that it sets, which of RLlib's keys says so, with its place.
    """

    name: str
    loaded: LoadedConfig
    beside: Beside
    origins: Mapping[str, str]

    @property
    def recipe(self) -> str:
        """The recipe that it became: every key that is no default, and where it comes from."""
        values, sources = dump_config(self.loaded.config), self.loaded.sources
        lines = []
        for section in SECTIONS:
            keys = [
                option.key
                for option in all_options().values()
                if option.section == section and sources[option.key] != "default"
            ]
            lines += [f"[{section}]"] if keys else []
            for key in keys:
                of_file = sources[key] == "file"
                origin = self.origins.get(key, "file") if of_file else sources[key]
                lines.append(f"{f'{key} = {values[key]}':<34}  # {origin}")
        return "\n".join(lines)


def load_experiment(
    path: Path,
    name: str | None,
    overrides: Sequence[str],
    *,
    num_ranks: int,
    environment_of: EnvironmentOf,
) -> Experiment:
    """Read one experiment of a file and put command-line overrides on top.

    Args:
        path: the file, in RLlib's YAML form.
        name: which of its experiments; None where it holds one alone.
        overrides: "Key=Value" texts.
        num_ranks: agent processes that share its environments.
        environment_of: what knows the environments' ids.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    to = Translation(path, Problems())
    chosen, experiment = _choose(path, name, read_yaml(path, to.problems, to.notes))
    beside = translate(experiment, to, num_ranks=num_ranks, environment_of=environment_of)
    loaded = load_settings(to.settings, str(path), overrides, to.problems)
    origins = {setting.key: _origin(setting) for setting in to.settings}
    return Experiment(chosen, replace(loaded, notes=(*to.notes, *loaded.notes)), beside, origins)


def _origin(setting: Setting) -> str:
    """Return which key of theirs a setting comes from, and where it stands."""
    theirs = setting.place.rpartition(": ")[2]
    return f"line {setting.line}, {theirs}" if setting.line else theirs


def _choose(path: Path, name: str | None, found: Mapping[str, Entry]) -> tuple[str, Entry]:
    """Return the experiment that is meant.

    Raises:
        ConfigurationError: there are several and none is named, or not that one.
    """
    names = ", ".join(printable(each) for each in found)
    if name is None and len(found) != 1:
        raise ConfigurationError(
            f"{path}: holds {len(found)} experiments ({names}); RLlib trains them all, here each "
            "is a run of its own, which is stopped and resumed alone: name one by --experiment"
        )
    if name is not None and name not in found:
        near = nearest(name, found)
        hint = f"did you mean {near}?" if near else f"it holds {names}"
        raise ConfigurationError(f"{path}: there is no experiment {printable(name)!r}; {hint}")
    chosen = next(iter(found)) if name is None else name
    if not isinstance(found[chosen].value, dict):
        raise ConfigurationError(
            f"{path}:{found[chosen].line}: {printable(chosen)} is no experiment; its form is "
            "NAME: {run: PPO, env: ID, stop: {...}, config: {...}}"
        )
    return chosen, found[chosen]
