"""Whom Scout is measured beside: trainers from the package index, and those of a checkout."""

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.free_memory import lacks_room
from benchmarks.peers.scripts.sizes import MARK, Sizes
from benchmarks.peers.watch import Watched
from benchmarks.runs import PROJECT
from configs.errors import ConfigurationError

INSTALL = "make peers_venv"
KEYS = frozenset({"name", "command", "mark", "folder", "environment"})


@dataclass(frozen=True)
class Peer:
    """A trainer.

    Attributes:
        label: as the table shows it.
        command: its command line; {num_envs} and the like stand for the sizes.
        mark: see `Watched`.
        packages: modules that must be there.
        megabytes: of each environment, where they take much.
        folder: where it starts; None for an empty one.
        variables: of its environment.
    """

    label: str
    command: tuple[str, ...]
    mark: re.Pattern[str] = MARK
    packages: tuple[str, ...] = ()
    megabytes: float = 0.0
    folder: Path | None = None
    variables: Mapping[str, str] | None = None

    def obstacle(self, sizes: Sizes) -> str | None:
        """Return why it must be left out, or None."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            return f"not installed: {', '.join(missing)} ({INSTALL})"
        return lacks_room(self.megabytes * sizes.num_envs)

    def watched(self, sizes: Sizes) -> Watched:
        """Return the program for these sizes."""
        words = {name: str(value) for name, value in asdict(sizes).items()} | {
            "python": sys.executable,
            "steps_per_update": str(sizes.steps_per_update),
            "minibatch_size": str(sizes.minibatch_size),
        }
        variables = {
            "PYTHONPATH": str(PROJECT),
            "OMP_NUM_THREADS": str(sizes.threads),
            "CUDA_VISIBLE_DEVICES": "",
            **(self.variables or {}),
        }
        command = [_fill_in(text, words) for text in self.command]
        return Watched(command, self.mark, sizes.steps_per_update, variables, self.folder)


def _fill_in(text: str, words: Mapping[str, str]) -> str:
    """Put values for the names in braces that are known; leave other braces alone."""
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def script(label: str, name: str, *flags: str, **more: Any) -> Peer:
    """Return a trainer that one of benchmarks/peers/scripts drives."""
    common = [text for field in asdict(Sizes()) for text in (f"--{field}", f"{{{field}}}")]
    start = ("{python}", "-m", f"benchmarks.peers.scripts.{name}")
    return Peer(label, (*start, *common, *flags), **more)


def _scout(label: str, bonus: str, precision: str, ranks: int) -> Peer:
    flags = ("--bonus", bonus, "--precision", precision, "--ranks", str(ranks))
    return script(label, "scout", *flags)


def _cleanrl(name: str, label: str) -> Peer:
    needs = ("cleanrl", "envpool", "gym")
    more = {"mark": re.compile(r"^SPS: \d+$"), "packages": needs}
    return script(f"CleanRL {name}{label}", "cleanrl_envpool", "--script", name, **more)


def known_peers(ranks: int) -> dict[str, Peer]:
    """Return the trainers that have a script here, by the names of the command line.

    Args:
        ranks: of Scout, which share the environments and the processes that step them.
    """
    sb3, sb3_flags = "stable_baselines3_ppo", ("--vector", "subproc")
    return {
        "scout_rnd": _scout("Scout, RND", "RND", "auto", ranks),
        "scout_rnd_float32": _scout("Scout, RND, float32", "RND", "float32", ranks),
        "scout_ppo": _scout("Scout, no bonus", "none", "auto", ranks),
        "cleanrl_rnd": _cleanrl("ppo_rnd_envpool", ", RND"),
        "cleanrl_ppo": _cleanrl("ppo_atari_envpool", ""),
        "sb3": script(
            "stable-baselines3 PPO, SubprocVecEnv",
            sb3,
            *sb3_flags,
            packages=("stable_baselines3",),
            megabytes=200,
        ),
        "sb3_ale": script(
            "stable-baselines3 PPO, AtariVectorEnv",
            sb3,
            *("--vector", "ale"),
            packages=("stable_baselines3",),
        ),
        "sample_factory": script(
            "Sample Factory APPO", "sample_factory_appo", packages=("sample_factory",)
        ),
    }


def read_checkout(path: Path) -> Peer:
    """Read a trainer of a checkout from a JSON file.

    It holds "name", "command" (a list of texts), "mark" (a pattern), and perhaps "folder" (from
    the file's own) and "environment" (variables).

    Raises:
        ConfigurationError: it cannot be read, or lacks something.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        unknown = sorted(entry.keys() - KEYS)
        if unknown:
            raise ConfigurationError(f"{path}: it may hold {sorted(KEYS)}, not {unknown}")
        return Peer(
            label=str(entry["name"]),
            command=tuple(map(str, entry["command"])),
            mark=re.compile(entry["mark"]),
            folder=(path.parent / entry.get("folder", ".")).resolve(),
            variables={"PYTHONPATH": "", **entry.get("environment", {})},
        )
    except KeyError as error:
        raise ConfigurationError(f"{path}: {error} is missing") from error
    except (OSError, ValueError, AttributeError, TypeError, re.error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
