"""The table of verbs, the parser of all their flags, and which of them is typed."""

import argparse
from collections.abc import Collection, Mapping, Sequence

from commands import (
    collect,
    config_options,
    data,
    encode,
    evaluate,
    export,
    play,
    probe,
    report,
    rollout,
    train,
    train_dynamics,
    train_encoder,
    visualise,
)
from commands.common import add_common_flags
from commands.parser import COMMON_TITLE, VERBS_TITLE, Parser

TYPE_CHECKING = False  # see commands/__init__.py
if TYPE_CHECKING:
    from typing import NoReturn

    from commands.verb import Verb

EXIT_CODES = """\
exit codes: 0 done; 1 a fault of ours; 2 bad configuration or command line; 3 checkpoint refused;
4 environment failed; 5 training went non-finite; 6 a peer was lost; 7 storage; 8 dataset refused;
75 stopped on request, saved unless it was still in its warm-up or pretraining.
"""

# The flag of each verb without its dashes; -h shows them in this order.
VERBS: "Mapping[str, Verb]" = {
    "train": train,
    "eval": evaluate,
    "rollout": rollout,
    "export": export,
    "report": report,
    "collect": collect,
    "data": data,
    "train_encoder": train_encoder,
    "encode": encode,
    "train_dynamics": train_dynamics,
    "probe": probe,
    "visualise": visualise,
    "play": play,
    "config_options": config_options,
}


class HelpOfVerbs(argparse.Action):
    """Shows the flags of the verbs that are typed beside it, or of all where there are none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> "NoReturn":
        """Print the help and leave with 0."""
        assert isinstance(parser, Parser)
        names = [name for name in VERBS if f"--{name}" in parser.typed]
        # argparse's own way to print passes over a full disk.
        print((build_parser(names) if names else parser).format_help(), end="", flush=True)
        parser.exit()


def parser_of_one_verb(words: Sequence[str]) -> Parser | None:
    """Return the parser of the verb in `words`, None where there are none or several."""
    typed = {word.partition("=")[0] for word in words}
    names = [name for name in VERBS if f"--{name}" in typed]
    return build_parser(names) if len(names) == 1 else None


def build_parser(names: Collection[str] = tuple(VERBS)) -> Parser:
    """Return the parser of the flags of these verbs, and of those that all verbs share."""
    verbs = [VERBS[name] for name in names]
    parser = Parser(
        prog="main.py",
        description="Train, evaluate and compare agents that explore by prediction error, and "
        "learn representations from rollouts on disk.",
        epilog="\n".join(["examples:", *(verb.EXAMPLE for verb in verbs), "", EXIT_CODES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        *("-h", "--help"),
        action=HelpOfVerbs,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show this help message and exit; with one of the modes, its flags alone",
    )
    for title in (VERBS_TITLE, COMMON_TITLE):  # they stand first
        parser.group(title)
    for verb in verbs:
        verb.add_flags(parser)
    add_common_flags(parser)
    parser.of_one_verb = parser_of_one_verb
    return parser


def checked_verb(parser: Parser, args: argparse.Namespace) -> "Verb":
    """Return the verb that is typed; refuse none, several, and flags that contradict it."""
    if args.config_options:  # whatever else is typed
        return config_options
    flags = [name for name in VERBS if name != "config_options"]
    typed = [name for name in flags if getattr(args, name) not in (None, False)]
    if len(typed) != 1:
        *others, last = (f"--{name}" for name in flags)
        parser.error(f"exactly one of {', '.join(others)} and {last} is needed")
    verb = VERBS[typed[0]]
    verb.check(parser, args)
    if args.resume and args.overwrite:  # also where nothing is trained
        from configs.typed import typed as in_words

        resume, overwrite = in_words("--resume"), in_words("--overwrite")
        parser.error(f"{resume} continues a run and {overwrite} replaces it; give one of them")
    return verb
