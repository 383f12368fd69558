"""How runs are started on two nodes, as docs/multinode.md says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.multinode.nodes import CABLE, Node, NodeRun
from tests.runs import CARTPOLE, MAIN, write_recipe

NAME = "demo"
PORT = 33333
APART = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
ENDLESS = 10**7  # env steps
COLLECTIVE_TIMEOUT = 8  # seconds


def torchrun_flags(node: Node, first: Node, *, by_name: bool = False) -> list[str]:
    """Return torchrun's flags on `node`, where `first` holds the rendezvous.

    Args:
        node: where torchrun is started.
        first: the node of the endpoint.
        by_name: leave --local-addr out, so that nodes call each other by their names.
    """
    flags = ["--nnodes=2", "--nproc_per_node=1", "--rdzv-backend=c10d", "--rdzv-id=13"]
    flags += [f"--rdzv-endpoint={first.address}:{PORT}", f"--master-addr={first.address}"]
    flags += [f"--rdzv-conf=is_host={int(node is first)}"]
    return flags if by_name else [*flags, f"--local-addr={node.address}"]


def start(
    node: Node,
    first: Node,
    folder: Path,
    *arguments: str,
    torchrun: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    env_steps: int = ENDLESS,
) -> NodeRun:
    """Start a run's part on `node`, whose disk is a folder of its own in `folder`."""
    disk = folder / node.name
    recipe = write_recipe(disk, CARTPOLE, TotalEnvSteps=env_steps)
    flags = torchrun_flags(node, first) if torchrun is None else list(torchrun)
    command = ["-m", "torch.distributed.run", *flags, str(MAIN), "--train"]
    command += [f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=1"]
    command += ["--set", f"CollectiveTimeout={COLLECTIVE_TIMEOUT}", "--set", "StartTimeout=120"]
    variables = {"GLOO_SOCKET_IFNAME": CABLE} if environment is None else dict(environment)
    return NodeRun(node, disk, [*command, *arguments], APART | variables)


@contextmanager
def ended_anyway(*runs: NodeRun) -> Iterator[None]:
    """Take every process of `runs` down at the end of the block."""
    with ExitStack() as stack:
        for run in runs:
            stack.callback(run.kill)
        yield


def rows(run: NodeRun) -> int:
    """Return how many rows of figures the run's node has on its disk."""
    path = run.folder / "logs" / "runs" / NAME / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def errors(run: NodeRun) -> list[str]:
    """Return the messages with which the run's ranks ended on this node."""
    return ["error: " + text for text in run.output.split("error: ")[1:]]
