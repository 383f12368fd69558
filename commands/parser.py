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
        import difflib

        name = argument.split("=", maxsplit=1)[0]
        if name in ("--local-rank", "--local_rank"):
            return f"{name} comes from python -m torch.distributed.launch; start it by torchrun"
        near = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.5)
        return f"unknown argument {name}" + (f"; did you mean {near[0]}?" if near else "")

    def error(self, message: str) -> "NoReturn":
        """Print one line, on the first process of a node alone, and exit with 2."""
        if is_first_of_node():
            say_last(2, f"main.py: {message} (main.py -h lists all flags)")
        else:
            let_the_first_speak()
        sys.exit(2)
