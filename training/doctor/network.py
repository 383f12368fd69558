"""What `make doctor` says about the network: interfaces, names, the endpoint where nodes meet."""

import os
import socket

from training.doctor.packages import Finding
from training.ranks.interfaces import (
    interface_addresses,
    interfaces_in_words,
    is_loopback,
    named_address,
    resolve,
    way_to,
    why_not_bound,
)

VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
CONNECT_TIMEOUT = 5.0  # seconds
PORTS = range(1, 2**16)


def hostname_finding() -> Finding:
    """Whether the host's own name resolves: torchrun and gloo ask for it."""
    name = socket.gethostname()
    try:
        address = resolve(name)
    except OSError as error:
        return Finding(
            "warn", "host name", f"{name}: {error}", f"add '127.0.0.1 {name}' to /etc/hosts"
        )
    if is_loopback(address):
        note = "; several nodes: give torchrun --local-addr=<this node's own address>"
        return Finding("ok", "host name", f"{name} is {address}{note}")
    return Finding("ok", "host name", f"{name} is {address}")


def interface_finding() -> Finding:
    """The network interfaces, one of which two nodes must name to gloo or NCCL."""
    chosen = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    for variable, named in chosen.items():
        _, problem = named_address(variable, named)
        if problem:
            return Finding("warn", "interfaces", problem, f"name one of them, or unset {variable}")
    there = interfaces_in_words(interface_addresses())
    settings = " ".join(f"{name}={value}" for name, value in chosen.items())
    return Finding("ok", "interfaces", f"{there}; {settings}" if settings else there)


def endpoint_findings(endpoint: str) -> list[Finding]:
    """Whether nodes can meet at torchrun's --rdzv-endpoint, and what this node should say then.

    Args:
        endpoint: HOST:PORT, as torchrun gets it.
    """
    subject = "endpoint"
    host, _, digits = endpoint.rpartition(":")
    if not host or not digits.isdecimal() or int(digits) not in PORTS:
        return [
            Finding("missing", subject, f"{endpoint}: no HOST:PORT", "for instance 10.0.0.1:33333")
        ]
    try:
        address = resolve(host.strip("[]"))
        interface, source = way_to(address)
    except OSError as error:
        return [
            Finding(
                "missing",
                subject,
                f"{host}: {error}",
                "use an address that this node has a way to: ip route get <address>",
            )
        ]
    is_host = source == address
    finding = _own_port(endpoint, int(digits)) if is_host else _reach(endpoint, address, interface)
    if finding.status == "missing":
        return [finding]
    flags = f"--rdzv-conf is_host={int(is_host)} --local-addr={source}"
    if is_loopback(source):
        return [
            finding,
            Finding(
                "warn",
                "this node",
                f"{host} is {source} here, which leads other nodes to themselves",
                "use an address that all nodes have a way to",
            ),
        ]
    return [finding, Finding("ok", "this node", f"GLOO_SOCKET_IFNAME={interface} torchrun {flags}")]


def _own_port(endpoint: str, port: int) -> Finding:
    """Whether torchrun can open the port; its store listens on all interfaces."""
    error = why_not_bound("0.0.0.0", port)
    if error is None:
        return Finding("ok", "endpoint", f"{endpoint} is this node's, and free")
    return Finding(
        "missing",
        "endpoint",
        f"port {port} cannot be opened on host {socket.gethostname()}: {error.strerror}",
        f"ss -ltnp 'sport = :{port}' shows who has it; end that, or choose another port everywhere",
    )


def _reach(endpoint: str, address: str, interface: str) -> Finding:
    """Whether another node's port answers."""
    port = int(endpoint.rpartition(":")[2])
    try:
        with socket.create_connection((address, port), CONNECT_TIMEOUT):
            return Finding("ok", "endpoint", f"{endpoint} answers, over {interface}")
    except ConnectionRefusedError:
        return Finding(
            "warn",
            "endpoint",
            f"{endpoint}: the node is there, nothing listens on its port yet",
            "start torchrun on that node; where it runs, see that it is that port",
        )
    except OSError as error:
        return Finding(
            "missing",
            "endpoint",
            f"{endpoint} cannot be reached over {interface}: {error}",
            "open its port and those above 1024 between the nodes, or take another interface",
        )
