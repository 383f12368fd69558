"""How this process was started, as one would type it again."""

from collections.abc import Mapping, Sequence


def own_command(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the command with torchrun's part before it, where torchrun started this process.

    Args:
        arguments: sys.argv.
        environment: of this process; torchrun leaves the sizes of its group there.
    """
    if "TORCHELASTIC_RUN_ID" not in environment:
        return ["python", *arguments]
    nodes = environment.get("GROUP_WORLD_SIZE", "1")
    ranks = environment.get("LOCAL_WORLD_SIZE", "1")
    alone = ["--standalone"] if nodes == "1" else []
    return ["torchrun", "--nnodes", nodes, "--nproc_per_node", ranks, *alone, *arguments]
