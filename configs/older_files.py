"""What a file of an older code means as a whole, beyond what its keys mean one by one.

configs/legacy.py translates a key alone. Here is what hangs on the rest of the file:
`TrainMethod` marks a file of either older code, `shared_ppo_backbone_last_layer_type` one of the
last version of the study of RND with BYOL and Barlow-Twins. What they mean was read off that code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from configs.legacy import OPTIONS_SECTION, own_spelling
from configs.reading import Setting

OF_EITHER_CODE = "TrainMethod"
OF_THE_STUDY = "shared_ppo_backbone_last_layer_type"

# The dense layers under target and predictor, where they look at the policy's features.
_FEATURE_LAYERS = "64, 128, 256"
_PREDICTOR_SHARE = "0.25"
_DEFAULT_MINIBATCHES = "4"


class _File:
    """The settings of a file under their own names, and what becomes of them.

    Args:
        settings: of the file.
        line: of the command line, which win.
    """

    def __init__(self, settings: Iterable[Setting], line: Iterable[Setting]) -> None:
        self.settings = _by_own_name(settings)
        self._line = _by_own_name(line)
        self.added: list[Setting] = []
        self.changed: dict[Setting, Setting] = {}
        self.notes: list[str] = []

    def value(self, key: str, default: str = "") -> str:
        """Return what is said of `key`, case-folded."""
        setting = (self.settings | self._line).get(key.casefold())
        return default if setting is None else setting.value.casefold()

    def note(self, setting: Setting, text: str) -> None:
        """Tell the user what is made of `setting`."""
        self.notes.append(f"{setting.label}: {text}")

    def add(self, values: Mapping[str, str], because_of: Setting) -> dict[str, str]:
        """Set the keys that the file leaves open; return those."""
        new = {key: text for key, text in values.items() if key.casefold() not in self.settings}
        for key, text in new.items():
            self.added.append(replace(because_of, key=key, value=text, section=""))
        return new


def _by_own_name(settings: Iterable[Setting]) -> dict[str, Setting]:
    """Return the first setting of each key, by the key's own name, case-folded."""
    found: dict[str, Setting] = {}
    for setting in settings:
        if setting.section != OPTIONS_SECTION:
            found.setdefault(own_spelling(setting.key).casefold(), setting)
    return found


def restate(
    settings: Sequence[Setting], line: Sequence[Setting] = ()
) -> tuple[list[Setting], tuple[str, ...]]:
    """Return the settings of a file with what an older code meant by them, and notes on it.

    A file of this tool comes back as it was.

    Args:
        settings: of the file.
        line: of the command line; they may decide what those of the file mean.
    """
    file = _File(settings, line)
    if OF_THE_STUDY.casefold() in file.settings:
        _networks(file)
        _predictor_share(file)
        _slow_rate(file)
    if OF_EITHER_CODE.casefold() in file.settings:
        _classic_control(file)
        _other_tasks(file)
    changed = [file.changed.get(setting, setting) for setting in settings]
    return changed + file.added, tuple(file.notes)


def _networks(file: _File) -> None:
    """Give the networks of the study's code, which differ from the paper's as jcwleo's do."""
    setting = file.settings[OF_THE_STUDY.casefold()]
    if setting.value.casefold() != "linear":
        return  # configs/legacy.py says why it is refused
    values = {"Preset": "jcwleo"}
    if file.value(OF_EITHER_CODE) == "modified_rnd":
        values["RNDStateHiddenSizes"] = _FEATURE_LAYERS
    new = file.add(values, setting)
    if new:
        told = " and ".join(f"{key} = {text}" for key, text in new.items())
        file.note(setting, f"read as {told}, the networks of the code it comes from")


def _predictor_share(file: _File) -> None:
    """Keep to what the study's code does: it never hands its UpdateProportion on."""
    setting = file.settings.get("updateproportion")
    if setting is None or _number(setting.value) in (None, float(_PREDICTOR_SHARE)):
        return
    file.changed[setting] = replace(setting, value=_PREDICTOR_SHARE)
    file.note(
        setting,
        f"read as {_PREDICTOR_SHARE}, which the code it comes from uses whatever the file says; "
        f"--set UpdateProportion={setting.value} heeds it",
    )


def _slow_rate(file: _File) -> None:
    """Spread a step of the slow backbone, which the study takes once an epoch, over its steps."""
    setting = file.settings.get("ematau")
    steps = _number(file.value("MiniBatch", _DEFAULT_MINIBATCHES))
    rate = None if setting is None else _number(setting.value)
    if setting is None or steps is None or rate is None or steps < 1 or not 0 < rate <= 1:
        return
    per_step = f"{1 - (1 - rate) ** (1 / steps):.6g}"
    file.changed[setting] = replace(setting, key="EmaTau", value=per_step)
    if file.value("UseEmaBackboneForRND") in ("true", "yes", "on", "1"):
        file.note(
            setting,
            f"read as EmaTau = {per_step}: the code it comes from moves the slow backbone once an "
            f"epoch, this one at each of its {steps:g} steps",
        )


def _classic_control(file: _File) -> None:
    """Show classic control as the study's code does: as pictures, for Gymnasium's own time."""
    setting = file.settings.get("envtype")
    if setting is None or {setting.value.casefold(), file.value("EnvType")} != {"classic_control"}:
        return
    told = file.add({"ObservationType": "pixels"}, setting)
    cap = file.settings.get("maxstepperepisode")
    if cap is not None and (_number(cap.value) or 0) > _LONGEST_CLASSIC_EPISODE:
        file.changed[cap] = replace(cap, value="auto")
        told["MaxStepPerEpisode"] = "auto"
    if told:
        read_as = " and ".join(f"{key} = {text}" for key, text in told.items())
        file.note(setting, f"read with {read_as}, as in the code it comes from")


# Gymnasium ends each of these itself, the last one (MountainCarContinuous) after 999 env steps.
_LONGEST_CLASSIC_EPISODE = 999


def _other_tasks(file: _File) -> None:
    """Say where the task itself is another one."""
    setting = file.settings.get("envid")
    if setting is None:
        return
    is_breakout = all(
        "breakout" in name for name in (setting.value.casefold(), file.value("EnvID"))
    )
    if is_breakout and OF_THE_STUDY.casefold() in file.settings:
        file.note(setting, "all 4 actions here; the code it comes from leaves out the no-op")
    if file.value("EnvType") == "mario":
        file.note(
            setting,
            "7 actions and the sign of the reward here, 12 in the code it comes from, and a reward "
            "of its own",
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
