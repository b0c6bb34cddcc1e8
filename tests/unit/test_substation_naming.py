"""Which name a substation has when nobody gave it one."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import dns.exception
import dns.name
import dns.resolver
import pytest

from substation.naming import own_name

DnsSays = Callable[[str, str | type[Exception]], None]


@pytest.fixture
def dns_says(monkeypatch: pytest.MonkeyPatch) -> DnsSays:
    """What the resolver answers to the host's own address; nothing leaves this machine."""

    def says(address: str, name: str | type[Exception]) -> None:
        def resolve(question: Any, kind: str, lifetime: float) -> list[Any]:
            assert (str(question), kind) == (".".join(reversed(address.split("."))) + ".in-addr.arpa.", "PTR")
            if isinstance(name, str):
                return [dns.name.from_text(name)]
            raise name

        monkeypatch.setattr(socket, "gethostbyname", lambda hostname: address)
        monkeypatch.setattr(dns.resolver, "resolve", resolve)

    return says


@pytest.mark.parametrize(
    ("in_dns", "name"),
    [
        ("smart-grid-substation-2.smart-grid_default", "substation-2"),
        ("smartgrid_substation_12.smartgrid_back", "substation-12"),
        ("substation-1", "substation-1"),
        ("x9-feeder-3.net", "feeder-3"),
    ],
)
def test_a_replica_of_compose_is_called_by_its_service_and_number(dns_says: DnsSays, in_dns: str, name: str) -> None:
    dns_says("172.18.0.5", in_dns)
    assert own_name("3f2a9c1b7d4e") == name


@pytest.mark.parametrize("in_dns", ["ip-10-0-0-5.internal", "gateway", "3f2a9c1b7d4e.net"])
def test_any_other_name_in_dns_is_left_alone(dns_says: DnsSays, in_dns: str) -> None:
    dns_says("10.0.0.5", in_dns)
    assert own_name("3f2a9c1b7d4e.example") == "3f2a9c1b7d4e"


@pytest.mark.parametrize("error", [dns.resolver.NXDOMAIN, dns.exception.Timeout, OSError])
def test_without_a_name_in_dns_it_is_the_hosts(
    dns_says: DnsSays, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    dns_says("172.18.0.5", error)
    assert own_name("3f2a9c1b7d4e") == "3f2a9c1b7d4e"
    assert "no name in DNS" in caplog.text


def test_a_host_that_is_only_itself_is_not_looked_up(dns_says: DnsSays) -> None:
    dns_says("127.0.1.1", AssertionError)
    assert own_name("laptop") == "laptop"
    assert own_name("feeder-7.example") == "feeder-7"


def test_an_unknown_host_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(hostname: str) -> str:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    assert own_name("nowhere") == "nowhere"


def test_by_default_it_is_about_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "feeder-9")
    monkeypatch.setattr(socket, "gethostbyname", lambda hostname: "127.0.0.1")
    assert own_name() == "feeder-9"
