"""What several nodes need is looked at before they start; tests/multinode has real nodes."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist

from configs.errors import ConfigurationError, PeerLostError
from tests.runs import CARTPOLE, started, write_recipe
from training.ranks import interfaces, own_address, preflight
from training.ranks.distributed import Place, peer_errors
from training.ranks.preflight import Endpoint


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        monkeypatch.delenv(name, raising=False)


def outside() -> tuple[str, str]:
    """Return an interface that others can reach, and its address."""
    found = interfaces.interface_addresses().items()
    reachable = [(n, own) for n, own in found if own and not interfaces.is_loopback(own)]
    return reachable[0] if reachable else pytest.skip("this machine has no network")


def test_every_interface_has_its_address() -> None:
    addresses = interfaces.interface_addresses()
    assert addresses["lo"] == "127.0.0.1"
    assert list(addresses) == [name for _, name in socket.if_nameindex()]


@pytest.mark.parametrize(
    ("variable", "value", "is_named"),
    [
        ("GLOO_SOCKET_IFNAME", "eth0", True),
        ("GLOO_SOCKET_IFNAME", "eth", False),
        ("GLOO_SOCKET_IFNAME", "ib0,eth0", True),
        ("NCCL_SOCKET_IFNAME", "eth", True),
        ("NCCL_SOCKET_IFNAME", "=eth", False),
        ("NCCL_SOCKET_IFNAME", "=ib0,eth0", True),
        ("NCCL_SOCKET_IFNAME", "^docker,lo", True),
        ("NCCL_SOCKET_IFNAME", "^eth", False),
    ],
)
def test_gloo_takes_names_and_nccl_the_beginnings_of_names(
    variable: str, value: str, is_named: bool
) -> None:
    assert interfaces._is_named("eth0", variable, value) is is_named


def test_an_interface_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    name, address = outside()
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", name)
    assert own_address.own_address("gloo", "127.0.0.1") == (address, "")


@pytest.mark.usefixtures("no_variables")
def test_where_none_is_named_the_way_to_the_first_rank_is_taken_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name, address = outside()
    monkeypatch.setenv("MASTER_ADDR", address)
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")  # a name of the loopback
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "")  # so that what is set is undone
    with caplog.at_level(logging.INFO):
        assert own_address.own_address("gloo", address) == (address, "")
    assert os.environ["GLOO_SOCKET_IFNAME"] == name
    assert f"GLOO_SOCKET_IFNAME={name} is taken" in caplog.text


@pytest.mark.usefixtures("no_variables")
def test_a_first_rank_on_the_loopback_is_none_for_other_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    address, problem = own_address.own_address("gloo", "127.0.0.1")
    assert address == ""
    assert "MASTER_ADDR=localhost is 127.0.0.1 here" in problem
    assert "--local-addr" in problem


def test_a_first_rank_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_address, "NAME_PATIENCE", 0.0)
    monkeypatch.setenv("MASTER_ADDR", "no-such-host.invalid")
    with pytest.raises(
        ConfigurationError, match=r"MASTER_ADDR=no-such-host.invalid: host .* finds"
    ):
        own_address.resolve_master()


@pytest.mark.usefixtures("no_variables")
def test_a_port_in_use_is_named_with_host_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = str(server.getsockname()[1])
        variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        for name, value in (variables | {"MASTER_PORT": port}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match=f"MASTER_PORT={port} is in use on host "):
            preflight.join_store(0, 2, "gloo", 5.0)


def in_threads(actions: list[Callable[[], object]]) -> list[object]:
    """Return what each action returned or raised; they run at the same time."""
    results: list[object] = [None] * len(actions)

    def run(index: int) -> None:
        try:
            results[index] = actions[index]()
        except (ConfigurationError, PeerLostError) as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_problem_of_one_node_ends_all_ranks_with_the_same_words_once_per_node() -> None:
    store = dist.HashStore()  # type: ignore[attr-defined] # not in __all__
    ranks = [
        Endpoint(0, "one", "10.0.0.1"),
        Endpoint(1, "two", problem="no cable"),
        Endpoint(2, "two", problem="no cable"),
    ]

    def tell(mine: Endpoint) -> Callable[[], object]:
        return lambda: preflight._refuse(store, preflight._exchange(store, "here", mine, 3))

    results = in_threads([tell(mine) for mine in ranks])
    assert all(isinstance(result, ConfigurationError) for result in results)
    [words] = {str(result) for result in results}
    assert words.splitlines()[0] == "the nodes cannot talk to each other:"
    assert words.count("no cable") == 1
    assert "on two: no cable" in words


def test_ranks_that_all_are_on_one_host_may_meet_on_its_loopback() -> None:
    store = dist.HashStore()  # type: ignore[attr-defined] # as above
    preflight._refuse(store, [Endpoint(rank, "one", problem="loopback") for rank in (0, 1)])


def test_a_rank_that_does_not_come_is_named() -> None:
    store = dist.HashStore()  # type: ignore[attr-defined] # as above
    store.set_timeout(timedelta(seconds=0.1))
    with pytest.raises(PeerLostError, match=r"rank 0 on one \(10.0.0.1\) waits in vain for rank 1"):
        preflight._exchange(store, "here", Endpoint(0, "one", "10.0.0.1"), 2)


def test_another_nodes_rank_is_reached_or_the_reason_told() -> None:
    mine = Endpoint(0, "one", "127.0.0.2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = Endpoint(1, "two", "127.0.0.1", server.getsockname()[1])
        assert preflight._reach(other, mine) == ""
    refused = preflight._reach(other, mine)
    assert "cannot connect to rank 1 on two (127.0.0.1)" in refused
    assert "GLOO_SOCKET_IFNAME" in refused


def test_what_is_told_is_json_and_comes_back_whole() -> None:
    store = dist.HashStore()  # type: ignore[attr-defined] # as above
    mine = Endpoint(0, "ö", "::1", 5, 'a "problem"\n')
    assert preflight._exchange(store, "here", mine, 1) == [mine]
    assert json.loads(store.get("here/0"))["host"] == "ö"


def test_a_lost_peer_is_told_with_the_other_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0")
    backend = (
        "[/a/pair.cc:537] Read error [10.0.0.2]:5: Connection reset by peer. This is typically"
    )
    caught = pytest.raises(PeerLostError)
    with caught as error, peer_errors(Place(0, 2, 0, 1), "rank 1 on two (10.0.0.2)"):
        raise RuntimeError(backend + " caused by a remote worker hanging.\nframe #0")
    words = str(error.value)
    assert "for it: Read error [10.0.0.2]:5: Connection reset by peer; see" in words
    assert f"rank 0 on {socket.gethostname()} talks to rank 1 on two (10.0.0.2)" in words
    assert "GLOO_SOCKET_IFNAME=eth0" in words
    assert "pair.cc" not in words


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_nodes_of_one_machine_meet_on_its_loopback(tmp_path: Path) -> None:
    """What is refused between hosts is all there is here."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    recipe = write_recipe(tmp_path, CARTPOLE)
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    common |= {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": ""}
    command = ("--train", f"--config_path={recipe}")
    with (
        started(tmp_path, *command, environment=common | {"RANK": "0"}) as first,
        started(tmp_path, *command, environment=common | {"RANK": "1"}) as second,
    ):
        assert [first.wait().code, second.wait().code] == [0, 0], first.output
