"""Whom a webhook may not be sent to, however the address is written."""

from collections.abc import Sequence

import pytest
from marketdata.errors import RequestInvalid
from marketdata.net.public_address import Door, public_door, resolve

PUBLIC = ["93.184.215.14"]


def finding(*addresses: str) -> "Lookup":
    return Lookup(addresses)


class Lookup:
    """A name service that says the same of every host, and remembers how often it was asked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_a_name_that_leads_to_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(RequestInvalid, match="not public") as refusal:
        public_door("https://hooks.example.com/x", finding(address))
    assert address not in str(refusal.value)


def test_a_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="not public"):
        public_door("https://hooks.example.com", finding(*PUBLIC, "10.0.0.1"))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "017700000001", "127.0.0.01", "2130706433."]
)
def test_a_number_in_disguise_is_refused_before_anybody_looks_it_up(host: str) -> None:
    lookup = finding(*PUBLIC)
    with pytest.raises(RequestInvalid, match="disguise"):
        public_door(f"https://{host}/", lookup)
    assert lookup.asked == []


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "https://localhost/"]
)
def test_this_machine_is_refused_by_the_system_s_own_lookup(url: str) -> None:
    with pytest.raises(RequestInvalid, match="not public"):
        public_door(url, resolve)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com",
        "hooks.example.com",
        "https://",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com:99999/",
        "https://[::1/",
        "",
    ],
)
def test_what_is_no_https_address_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(RequestInvalid):
        public_door(url, finding(*PUBLIC))


def test_a_public_host_is_looked_up_once_and_reached_at_the_address_that_was_checked() -> None:
    lookup = finding(*PUBLIC, "2606:4700::1111")
    door = public_door("https://hooks.example.com:8443/a/b?c=d", lookup)
    assert door == Door("https", "hooks.example.com", 8443, "93.184.215.14", "/a/b?c=d")
    assert lookup.asked == ["hooks.example.com"]
    assert door.host_header == "hooks.example.com:8443"
    assert public_door("https://hooks.example.com", lookup).host_header == "hooks.example.com"


def test_a_host_without_an_address_is_not_found() -> None:
    with pytest.raises(OSError, match="no address"):
        public_door("https://hooks.example.com/", finding())


def test_one_s_own_machine_may_be_allowed_without_tls_but_no_other_scheme() -> None:
    assert public_door("http://127.0.0.1:8080/x", resolve, allow_local=True).port == 8080
    with pytest.raises(RequestInvalid):
        public_door("ftp://127.0.0.1/x", resolve, allow_local=True)
