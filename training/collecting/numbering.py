"""What the number of an episode decides: its random streams and its name."""

from training.building.seeding import stream_seed


def environment_seed(run_seed: int, number: int) -> int:
    """Return the seed that the environment is reset with, below 2^31."""
    return stream_seed(run_seed, "collected environment", number)


def policy_seed(run_seed: int, number: int) -> int:
    """Return the seed of what the policy draws, below 2^31."""
    return stream_seed(run_seed, "collecting policy", number)


def episode_id(run_seed: int, number: int) -> str:
    """Return the episode's name in its dataset."""
    return f"{run_seed}-{number}"


def number_of(name: str, run_seed: int) -> int | None:
    """Return the number in an episode's name; None where it is of another seed or origin."""
    prefix, _, number = name.partition("-")
    return int(number) if prefix == str(run_seed) and number.isdecimal() else None
