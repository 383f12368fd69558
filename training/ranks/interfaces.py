"""This host's network interfaces and addresses; the standard library alone, for `make doctor`."""

import fcntl
import ipaddress
import socket
import struct
import time
from pathlib import Path

SIOCGIFADDR = 0x8915  # linux/sockios.h: an interface's IPv4 address
ANY_PORT = 9  # nothing is sent there
LOOK_EVERY = 0.5  # seconds


def interface_addresses() -> dict[str, str]:
    """Return each interface of this host with its address, "" for one that has none."""
    over_ipv6 = _ipv6_addresses()
    names = [name for _, name in socket.if_nameindex()]
    return {name: _ipv4_address(name) or over_ipv6.get(name, "") for name in names}


def interfaces_in_words(addresses: dict[str, str]) -> str:
    """Return interfaces and addresses for a message."""
    return ", ".join(f"{name} ({address or 'no address'})" for name, address in addresses.items())


def named_address(variable: str, named: str) -> tuple[str, str]:
    """Return the address of the interface that a variable of gloo or NCCL names, and what is wrong.

    Args:
        variable: GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME.
        named: its value.

    Returns:
        (address, "") or ("", problem).
    """
    addresses = interface_addresses()
    there = f"there are {interfaces_in_words(addresses)}"
    fitting = {name: own for name, own in addresses.items() if _is_named(name, variable, named)}
    if not fitting:
        return "", f"{variable}={named} names no interface of this host; {there}"
    known = [own for own in fitting.values() if own and not is_loopback(own)]
    if known:
        return known[0], ""
    return "", (
        f"{variable}={named} names an interface that other nodes cannot reach: "
        f"{interfaces_in_words(fitting)}; {there}"
    )


def is_loopback(address: str) -> bool:
    """Whether `address` leads to its own host, wherever it is used."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def resolve(name: str, patience: float = 0.0) -> str:
    """Return the address of a host, asked for again for `patience` seconds where there is none.

    Raises:
        OSError: it has none.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as error:
            if time.monotonic() > end:
                raise OSError(str(error)) from error
        time.sleep(LOOK_EVERY)


def way_to(address: str) -> tuple[str, str]:
    """Return the interface over which `address` is reached and its own address there.

    Raises:
        OSError: there is no way to it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, ANY_PORT))
        source = str(probe.getsockname()[0])
    names = [name for name, own in interface_addresses().items() if own == source]
    return (names[0] if names else ""), source


def why_not_bound(address: str, port: int = 0) -> OSError | None:
    """Return why no socket of this host can listen on `address`, None where one can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            return error
    return None


def _is_named(name: str, variable: str, named: str) -> bool:
    """Whether a variable's value names an interface: NCCL takes prefixes, =exact and ^not."""
    words = [word.strip() for word in named.lstrip("^=").split(",")]
    if variable.startswith("GLOO") or named.startswith("="):
        return name in words
    begins = any(name.startswith(word) for word in words)
    return not begins if named.startswith("^") else begins


def _ipv4_address(name: str) -> str:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, SIOCGIFADDR, request)
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def _ipv6_addresses() -> dict[str, str]:
    """Return the addresses that other hosts know: of global scope, and that of the loopback."""
    try:
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        digits, _, _, scope, _, name = line.split()
        if scope in ("00", "10"):
            found.setdefault(name, str(ipaddress.IPv6Address(int(digits, 16))))
    return found
