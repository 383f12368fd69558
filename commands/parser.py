"""The parser of the command line: flags in groups, and one line for each mistake."""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise

from commands.one_voice import is_first_of_node, let_the_first_speak, say_last

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# The titles of the groups that -h shows first.
VERBS_TITLE = "run mode (exactly one)"
COMMON_TITLE = "all modes"


# The flags that set a key, or do for another verb what the key does for training.
FLAGS_OF_KEY = {
    "NumEnv": ("--num_env_per_process",),
    "TotalEnvSteps": ("--max_env_steps", "--train_steps", "--max_steps"),
    "Seed": ("--seed",),
    "LearningRate": ("--learning_rate",),
    "saveCkptEvery": ("--save_every_n_steps",),
    "EnvID": ("--environment",),
}
OF_TRAINING = {"TotalEnvSteps"}  # means nothing to a verb that has no flag for it


class Parser(argparse.ArgumentParser):
    """Names the nearest flag where one is unknown.

    Attributes:
        typed: the arguments that are parsed, as they were given.
        of_one_verb: from what is typed to the parser of the one verb in it, None where there are
            none or several.
    """

    def __init__(self, *args: "Any", **kwargs: "Any") -> None:
        super().__init__(*args, **kwargs)
        self.typed: Sequence[str] = ()
        self.of_one_verb: Callable[[Sequence[str]], Parser | None] = lambda words: None
        self._group_of: dict[str, argparse._ArgumentGroup] = {}

    def group(self, title: str) -> argparse._ArgumentGroup:
        """Return the group of this title; the first call makes it."""
        if title not in self._group_of:
            self._group_of[title] = self.add_argument_group(title)
        return self._group_of[title]

    def knows(self, flag: str) -> bool:
        """Return whether a flag was added, as one that several verbs share may have been."""
        return flag in self._option_string_actions

    def group_with(self, flag: str) -> str | None:
        """Return the title of the group that a flag stands in, None where it is unknown."""
        action = self._option_string_actions.get(flag)
        return next(
            (title for title, each in self._group_of.items() if action in each._group_actions), None
        )

    def flags_of(self, title: str) -> list[str]:
        """Return the flags of a group."""
        actions = self.group(title)._group_actions
        return [flag for action in actions for flag in action.option_strings]

    def parse_args(  # type: ignore[override]  # one signature is enough here
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse all of `args`; unknown ones, and those of other verbs, are errors."""
        self.typed = sys.argv[1:] if args is None else list(args)
        words = self._help_before_lists()
        parsed, unknown = self.parse_known_args(words, namespace)
        verb = self.of_one_verb(self.typed)
        if verb is not None:
            verb.typed = self.typed
            _, unknown = verb.parse_known_args(words)
            unknown = self._without_values(unknown)
        if unknown:
            self.error("; ".join((verb or self)._describe(word, self) for word in unknown))
        return parsed

    def _without_values(self, unknown: Sequence[str]) -> list[str]:
        """Return words that a verb has no use for, without the values of flags of other verbs."""
        before = ["", *unknown]
        return [word for word, flag in zip(unknown, before, strict=False) if not self.knows(flag)]

    def _help_before_lists(self) -> list[str]:
        """Return what was typed, a -h in front of the flag that would miss its word."""
        words = list(self.typed)
        for place, (flag, following) in enumerate(pairwise(words)):
            action = self._option_string_actions.get(flag)
            takes_words = action is not None and action.nargs in ("+", None)
            if takes_words and following in ("-h", "--help"):
                words[place : place + 2] = [following, flag]
                break
        return words

    def _describe(self, argument: str, of_all: "Parser") -> str:
        """Say of an argument that it is unknown, or to this verb alone, and what may be meant."""
        name = argument.split("=", maxsplit=1)[0]
        if name in ("--local-rank", "--local_rank"):
            return f"{name} comes from python -m torch.distributed.launch; start it by torchrun"
        group = of_all.group_with(name)
        if group is not None:
            what, near = f"{name} is a flag of another mode, {group}", self._meant_elsewhere(name)
        else:
            what = f"unknown argument {name}"
            verbs = of_all.flags_of(VERBS_TITLE)
            flag = name.startswith("-")
            near = self._meant(name, verbs, of_all) if flag else self._meant_by_word(argument)
        return what + (f"; did you mean {near}?" if near else "")

    def _meant_by_word(self, word: str) -> str | None:
        """Return what a word without a flag was meant for: a recipe, or the value of a key."""
        if word.endswith(".conf"):
            return f"--config_path={word}"
        if word.endswith((".yaml", ".yml")):
            return f"-f {word}"
        place = self.typed.index(word)
        if "=" in word:
            return f"--set {word}"
        if place >= 2 and self.typed[place - 2] == "--set":
            return f"--set {self.typed[place - 1]}={word}"
        return None

    def _meant(self, name: str, verbs: Sequence[str], of_all: "Parser") -> str | None:
        """Return our flag for an unknown one: what others call it, a key, or the nearest one."""
        import difflib

        from configs.other_words import FLAG_OF, KEY_OF, plain

        word = plain(name)
        ours: list[str] = [*self._option_string_actions, *verbs]
        flags = {**{plain(flag): flag for flag in ours}, **FLAG_OF}
        if word in flags:
            elsewhere = None if flags[word] in ours else of_all.group_with(flags[word])
            return flags[word] + (f" (of another mode, {elsewhere})" if elsewhere else "")
        longer = [flag for flag in ours if flag.startswith(name)]
        near = longer if len(longer) == 1 else difflib.get_close_matches(name, ours, cutoff=0.5)
        is_a_slip = bool(difflib.get_close_matches(name, near, cutoff=0.8))
        key = KEY_OF.get(word) or (None if is_a_slip else _keys().get(word))
        setting = None if key is None else self._setting(name, key)
        return setting or (near[0] if near else None)

    def _meant_elsewhere(self, name: str) -> str | None:
        """Return what does here what a flag of another verb does there."""
        from configs.other_words import FLAG_OF, KEY_OF, plain

        word = plain(name)
        flag, key = FLAG_OF.get(word), KEY_OF.get(word) or _keys().get(word)
        if flag is not None and self.knows(flag):
            return flag
        key = key or next((key for key, flags in FLAGS_OF_KEY.items() if name in flags), None)
        return None if key is None else self._setting(name, key)

    def _setting(self, name: str, key: str) -> str | None:
        """Return how this verb sets a key that others have a flag for, None where it cannot."""
        from configs.other_words import with_remark

        for flag in FLAGS_OF_KEY.get(key, ()):
            if self.knows(flag):
                return flag
        return None if key in OF_TRAINING else with_remark(name, f"--set {key}=...")

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
