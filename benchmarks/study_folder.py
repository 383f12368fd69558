"""A study's folder: what may not change while it goes on, kept from its first start on.

study.json        the study's settings
recipes/          the recipes as they were when the study began
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from configs.errors import ConfigurationError
from configs.loading import load_config
from configs.schema import Config
from training.folders.files import read_json, replace_file

SETTINGS, ENV_STEPS = "study.json", "env_steps"


def keep_study(
    folder: Path,
    settings: Mapping[str, object],
    recipes: Mapping[str, Path],
    overrides: Sequence[str] = (),
    env_steps: int | None = None,
) -> None:
    """Make the folder, or see that what lies there belongs to the same study.

    Args:
        folder: of the study.
        settings: as JSON knows them; what makes runs comparable.
        recipes: by arm; more of them may come later.
        overrides: Key=Value set beside all recipes.
        env_steps: of each run: a setting too where a recipe changes something over them, since a
            run that was trained further is another one then. None: no recipe does.

    Raises:
        ConfigurationError: settings or a recipe differ, a recipe is missing, or an override cannot
            be; nothing is kept then.
        StorageError: the folder cannot be written.
    """
    began = read_json(folder / SETTINGS)
    for name, recipe in recipes.items():
        copy = recipe_copy(folder, name)
        if not recipe.is_file():
            raise ConfigurationError(f"arm {name}: there is no recipe {recipe}")
        if copy.exists() and copy.read_bytes() != recipe.read_bytes():
            raise ConfigurationError(
                f"arm {name}: {recipe} has changed since the study in {folder} was begun; name "
                "another --folder"
            )
    configs = [load_config(recipe, overrides).config for recipe in recipes.values()]
    if env_steps is not None and (ENV_STEPS in (began or ()) or any(map(is_annealed, configs))):
        settings = {**settings, ENV_STEPS: env_steps}
    if began is not None:
        _check_settings(folder, began, settings)
    for name, recipe in recipes.items():
        replace_file(recipe_copy(folder, name), recipe.read_bytes())
    replace_file(folder / SETTINGS, (json.dumps(settings) + "\n").encode())


def is_annealed(config: Config) -> bool:
    """Whether something that a run learns with hangs on how much of it is done."""
    head = config.representation
    slows_down = head.kind == "BYOL" and head.byol_momentum_schedule != "constant"
    return config.ppo.learning_rate_schedule != "constant" or slows_down


def _check_settings(
    folder: Path, began: Mapping[str, object], settings: Mapping[str, object]
) -> None:
    others = {name: value for name, value in settings.items() if name != ENV_STEPS}
    if began == others != settings:
        raise ConfigurationError(
            f"{folder / SETTINGS} does not say for how many env steps the runs were begun, and "
            f'recipes change what they learn with over them; add "{ENV_STEPS}" there, or name '
            "another --folder"
        )
    if began != settings:
        names = [name for name in {**began, **settings} if began.get(name) != settings.get(name)]
        before, now = (
            " and ".join(_typed(name, each.get(name)) for name in names)
            for each in (began, settings)
        )
        raise ConfigurationError(
            f"the study in {folder} was begun with {before}, not with {now}; name another --folder"
        )


def _typed(name: str, value: object) -> str:
    """Return a setting as the flag that says it."""
    values = value if isinstance(value, list) else [value]
    if value is None or not values:
        return f"no --{name}"
    return " ".join(f"--{name} {each}" for each in values)


def recipe_copy(folder: Path, arm: str) -> Path:
    """Return where a study keeps an arm's recipe."""
    return folder / "recipes" / f"{file_name(arm)}.conf"


def file_name(arm: str) -> str:
    """Return an arm's name as part of a file's: RND+Barlow-Twins is rnd_barlow_twins."""
    return re.sub(r"\W+", "_", arm.lower())


def is_finished(folder: Path, env_steps: int = 0) -> bool:
    """Whether a run, or a model's training, came to its end, and to as many env steps."""
    status = read_json(folder / "status.json") or {}
    return status.get("code") == 0 and status.get("env_steps", 0) >= env_steps


def evaluation_file(
    run: Path, *, env_steps: int, episodes: int, seed: int, action_choice: str
) -> Path | None:
    """Return the report of an evaluation as it was asked for; None before there is one.

    Of several it is that after the fewest env steps: a run may have been trained further since.
    What was played under other rules than training's is none of them.

    Args:
        run: the folder of its figures.
        env_steps: that it was trained for at least.
        episodes, seed, action_choice: of the evaluation.
    """
    wanted = {"episodes": episodes, "seed": seed, "action_choice": action_choice}
    found: list[tuple[int, Path]] = []
    for path in sorted((run / "evaluation").glob("*.json")):
        report = read_json(path) or {}
        as_asked = all(report.get(name) == value for name, value in wanted.items())
        trained = report.get("env_steps_trained", -1)
        if as_asked and trained >= env_steps and not report.get("protocol_changes"):
            found.append((trained, path))
    return min(found, default=(0, None))[1]
