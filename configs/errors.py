"""The errors that end a run, each with its exit code and one message for the user."""

import signal

STOPPED_EXIT_CODE = 75  # stopped on request and saved; sysexits.h: try again later


class ScoutError(Exception):
    """An end with a reason: the message says what was wrong, where, and how to mend it.

    `repeated` is set where another rank tells the same story, so that it is printed once.
    """

    exit_code = 1
    repeated = False


class ConfigurationError(ScoutError):
    """A bad configuration file, command line or start-up condition."""

    exit_code = 2


class CheckpointError(ScoutError):
    """A checkpoint that cannot be read or does not fit."""

    exit_code = 3


class EnvironmentFailure(ScoutError):  # noqa: N818 - EnvironmentError is a built-in's name
    """An environment that failed beyond its limit."""

    exit_code = 4


class NonFiniteError(ScoutError):
    """A loss or gradient that is not a finite number."""

    exit_code = 5


class PeerLostError(ScoutError):
    """Another rank that was lost or did not answer in time."""

    exit_code = 6


class StorageError(ScoutError):
    """A file that could not be written."""

    exit_code = 7


class FullDiskError(StorageError):
    """A file that its disk has no room for; the message ends with the advice to make some."""


class DatasetError(ScoutError):
    """A dataset of rollouts that is damaged, incomplete or not of one kind."""

    exit_code = 8


class Interrupted(KeyboardInterrupt):
    """A signal has asked the program to end, and there is nothing to stop and save.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)
