"""What the file of a verb offers: for type checkers and readers alone."""

import argparse
from typing import Protocol

from commands.parser import Parser


class Verb(Protocol):
    """What the file of a verb offers.

    Attributes:
        EXAMPLE: a command, as -h shows it.
    """

    EXAMPLE: str

    def add_flags(self, parser: Parser) -> None:
        """Add the verb itself to the group VERBS_TITLE, and the flags that it alone has."""

    def check(self, parser: Parser, args: argparse.Namespace) -> None:
        """Call `parser.error` where flags are missing or contradict each other."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; return the exit code. What is heavy is imported here."""
        ...
