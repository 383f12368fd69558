"""By which address other nodes reach this rank, and how it finds the first rank's."""

import logging
import os
import socket

from configs.errors import ConfigurationError
from training.ranks.interfaces import is_loopback, named_address, resolve, way_to, why_not_bound

NAME_PATIENCE = 3.0  # seconds for a name server's hiccup

logger = logging.getLogger(__name__)


def resolve_master() -> str:
    """Return the address behind MASTER_ADDR.

    Raises:
        ConfigurationError: there is none.
    """
    name = os.environ.get("MASTER_ADDR", "")
    try:
        return resolve(name, NAME_PATIENCE)
    except OSError as error:
        raise ConfigurationError(
            f"MASTER_ADDR={name}: host {socket.gethostname()} finds no address for this name "
            f"({error}); start torchrun on every node with --local-addr=<that node's own address>"
        ) from error


def own_address(backend: str, master: str) -> tuple[str, str]:
    """Return the address by which other nodes reach this rank, and what is wrong with it.

    gloo takes the address of the host's name where no interface is named, and the loopback where
    that name has none. The interface on the way to `master` takes its place then.
    """
    variable = f"{backend.upper()}_SOCKET_IFNAME"
    named = os.environ.get(variable, "")
    if named:
        return named_address(variable, named)
    if backend == "gloo" and (own := _address_of_name()):
        return own, ""
    return _way_to_master(variable, master)


def _way_to_master(variable: str, master: str) -> tuple[str, str]:
    try:
        interface, source = way_to(master)
    except OSError as error:
        return "", f"there is no way to MASTER_ADDR={os.environ['MASTER_ADDR']} ({error})"
    if is_loopback(source):
        return "", (
            f"MASTER_ADDR={os.environ['MASTER_ADDR']} is {master} here, which other nodes cannot "
            "reach; start torchrun on every node with --local-addr=<that node's own address>"
        )
    if variable == "GLOO_SOCKET_IFNAME" and interface:
        os.environ[variable] = interface
        if os.environ.get("LOCAL_RANK", "0") == "0":
            logger.info(
                "%s=%s is taken, the way to MASTER_ADDR: it is not set, and other nodes cannot "
                "reach this host by its name",
                variable,
                interface,
            )
    return source, ""


def _address_of_name() -> str:
    """Return the address that gloo would take, "" where that is none for other nodes."""
    try:
        address = resolve(socket.gethostname())
    except OSError:
        return ""
    return "" if is_loopback(address) or why_not_bound(address) else address
