"""The parser of the command line: flags in groups, and one line for each mistake."""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise

from commands.one_voice import is_first_of_node, let_the_first_speak, say_last

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from typing import Any, NoReturn

# The titles of the groups that -h shows first.
VERBS_TITLE = "run mode (exactly one)"
COMMON_TITLE = "all modes"


FLAG_OF_KEY = {
    "NumEnv": "--num_env_per_process",
    "TotalEnvSteps": "--max_env_steps",
    "Seed": "--seed",
}


class Parser(argparse.ArgumentParser):
    """Names the nearest flag where one is unknown.

    Attributes:
        typed: the arguments that are parsed, as they were given.
    """

    def __init__(self, *args: "Any", **kwargs: "Any") -> None:
        super().__init__(*args, **kwargs)
        self.typed: Sequence[str] = ()
        self._group_of: dict[str, argparse._ArgumentGroup] = {}

    def group(self, title: str) -> argparse._ArgumentGroup:
        """Return the group of this title; the first call makes it."""
        if title not in self._group_of:
            self._group_of[title] = self.add_argument_group(title)
        return self._group_of[title]

    def knows(self, flag: str) -> bool:
        """Return whether a flag was added, as one that several verbs share may have been."""
        return flag in self._option_string_actions

    def parse_args(  # type: ignore[override]  # one signature is enough here
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse all of `args`; unknown ones are errors with a suggestion."""
        self.typed = sys.argv[1:] if args is None else list(args)
        parsed, unknown = self.parse_known_args(self._help_before_lists(), namespace)
        if unknown:
            self.error("; ".join(self._describe(argument) for argument in unknown))
        return parsed

    def _help_before_lists(self) -> list[str]:
        """Return what was typed, a -h in front of the flag that would miss its first word."""
        words = list(self.typed)
        for place, (flag, following) in enumerate(pairwise(words)):
            action = self._option_string_actions.get(flag)
            if action is not None and action.nargs == "+" and following in ("-h", "--help"):
                words[place : place + 2] = [following, flag]
                break
        return words

    def _describe(self, argument: str) -> str:
        name = argument.split("=", maxsplit=1)[0]
        if name in ("--local-rank", "--local_rank"):
            return f"{name} comes from python -m torch.distributed.launch; start it by torchrun"
        near = self._meant(name) if name.startswith("-") else self._meant_by_word(argument)
        return f"unknown argument {name}" + (f"; did you mean {near}?" if near else "")

    def _meant_by_word(self, word: str) -> str | None:
        """Return what a word without a flag was meant for: a recipe, or the value of a key."""
        if word.endswith(".conf"):
            return f"--config_path={word}"
        place = self.typed.index(word)
        if "=" in word:
            return f"--set {word}"
        if place >= 2 and self.typed[place - 2] == "--set":
            return f"--set {self.typed[place - 1]}={word}"
        return None

    def _meant(self, name: str) -> str | None:
        """Return our flag for an unknown one: what others call it, a key, or the nearest one."""
        import difflib

        from configs.other_words import FLAG_OF, KEY_OF, plain, with_remark

        word = plain(name)
        ours: list[str] = list(self._option_string_actions)
        flags = {**{plain(flag): flag for flag in ours}, **FLAG_OF}
        if word in flags:
            return flags[word]
        near = difflib.get_close_matches(name, ours, n=1, cutoff=0.5)
        is_a_slip = bool(difflib.get_close_matches(name, near, cutoff=0.8))
        key = KEY_OF.get(word) or (None if is_a_slip else _keys().get(word))
        if key is not None:
            return with_remark(name, FLAG_OF_KEY.get(key, f"--set {key}=..."))
        return near[0] if near else None

    def error(self, message: str) -> "NoReturn":
        """Print one line, on the first process of a node alone, and exit with 2."""
        if is_first_of_node():
            say_last(2, f"main.py: {message} (main.py -h lists all flags)")
        else:
            let_the_first_speak()
        sys.exit(2)


def _keys() -> dict[str, str]:
    """Return the recipe's keys by their plain spelling; none in a Python without the packages."""
    from contextlib import suppress

    from configs.other_words import plain

    with suppress(ModuleNotFoundError):
        from configs.options import all_options

        return {plain(option.key): option.key for option in all_options().values()}
    return {}
