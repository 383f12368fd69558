"""What ranks must agree on before they train together."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from agents.ranks import Ranks
from configs import errors
from configs.errors import ConfigurationError, ScoutError
from configs.loading import dump_config
from configs.schema import Config

Result = TypeVar("Result")


def on_first_rank(ranks: Ranks, action: Callable[[], Result]) -> Result | None:
    """Run `action` on rank 0; where it fails, all ranks fail alike (a collective).

    Returns:
        its result on rank 0, None elsewhere.

    Raises:
        ScoutError: of the class and with the message of rank 0's.

    """
    result: Result | None = None
    failure: ScoutError | None = None
    if ranks.rank == 0:
        try:
            result = action()
        except ScoutError as error:
            failure = error
    word = "" if failure is None else json.dumps([type(failure).__name__, str(failure)])
    word = ranks.broadcast_bytes(word.encode()).decode()
    if failure is not None:
        raise failure
    if word:
        name, message = json.loads(word)
        # Storage errors and the like may be subclasses of ours; unknown names keep the base.
        repeated: ScoutError = getattr(errors, name, ScoutError)(message)
        repeated.repeated = True
        raise repeated
    return result


def check_same_start(
    ranks: Ranks, config: Config, versions: Mapping[str, str], flags: Mapping[str, str]
) -> None:
    """Compare configuration, versions and flags of all ranks (a collective).

    Raises:
        ConfigurationError: on every rank, naming the keys that differ.

    """
    compared = dump_config(config) | {f"version of {name}": text for name, text in versions.items()}
    compared |= flags
    everyone = [json.loads(part) for part in ranks.gather_bytes(json.dumps(compared).encode())]
    keys = differing_keys(everyone)
    if keys:
        rows = [
            f"  {key}: " + ", ".join(f"rank {rank} {c.get(key)}" for rank, c in enumerate(everyone))
            for key in keys
        ]
        raise ConfigurationError(
            "the ranks were started with different settings:\n"
            + "\n".join(rows)
            + "\nstart every node with the same command, code and environment"
        )


def differing_keys(configurations: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the keys whose text is not the same in all of `configurations`, or not in all."""
    first, *others = configurations
    keys = dict.fromkeys(key for each in (first, *others) for key in each)
    return [key for key in keys if any(other.get(key) != first.get(key) for other in others)]
