"""What two ranks do whose configuration or versions differ in one place; run by tests.ranks."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from agents.ranks import Ranks
from configs.errors import ConfigurationError
from configs.loading import config_from_mapping, dump_config
from configs.schema import Config
from training.ranks.agreement import check_same_start

VERSIONS = {"torch": "2.13.0", "numpy": "2.3.5", "python": "3.11.7", "commit": "abc"}
FLAGS = {"device": "cpu", "--profile_updates": "0"}


class Disagreement(NamedTuple):
    """What differed, what was said, and the seconds that took."""

    key: str
    message: str
    seconds: float


def other_values(text: str) -> list[str]:
    """Return what a key may hold in the place of `text`."""
    flipped = {"True": "False", "False": "True"}
    if text in flipped:
        return [flipped[text]]
    try:
        number = float(text)
    except ValueError:
        return ["1", "none", "None", "auto", "RND", "sign", "bfloat16", "linear", f"{text}, 16"]
    return [str(int(number) + 1), str(number / 2), str(number + 1.0)]


def changed(base: dict[str, str], key: str) -> Config | None:
    """Return the configuration with another value of `key`, None where none was thought of."""
    for value in other_values(base[key]):
        try:
            config = config_from_mapping(base | {key: value})
        except ConfigurationError:
            continue
        if dump_config(config)[key] != base[key]:
            return config
    return None


def differing_starts() -> Iterator[tuple[str, Config, dict[str, str], dict[str, str]]]:
    """Yield what differs on the last rank, and what that starts with."""
    common = Config()
    for name in VERSIONS:
        yield f"version of {name}", common, VERSIONS | {name: "another"}, FLAGS
    for name in FLAGS:
        yield name, common, VERSIONS, FLAGS | {name: "another"}
    base = dump_config(common)
    for key in base:
        config = changed(base, key)
        if config is not None:
            yield key, config, VERSIONS, FLAGS


def disagree(ranks: Ranks) -> list[Disagreement]:
    """Start with each difference; return what this rank was told."""
    found = []
    for key, config, versions, flags in differing_starts():
        is_other = ranks.rank == ranks.world_size - 1
        began, message = time.monotonic(), ""
        try:
            check_same_start(
                ranks,
                config if is_other else Config(),
                versions if is_other else VERSIONS,
                flags if is_other else FLAGS,
            )
        except ConfigurationError as error:
            message = str(error)
        found.append(Disagreement(key, message, time.monotonic() - began))
    return found
