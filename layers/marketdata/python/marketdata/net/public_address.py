"""Which addresses a webhook may be sent to: public ones, looked up once and connected to as they were checked.

Whoever may name a receiver could otherwise have us speak to what only we can reach: the metadata service of a cloud, a
database, a router. Refused are private, loopback, link-local, multicast, reserved and unspecified addresses, of IPv4,
of IPv6 and of IPv4 inside IPv6, and hosts that are numbers in disguise (`2130706433`, `0177.0.0.1`).
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from marketdata.errors import RequestInvalid

PORTS = {"https": 443, "http": 80}
_NUMBERS = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?", re.ASCII)
_DOTTED = re.compile(r"(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}", re.ASCII)
_NAT64 = IPv6Address("64:ff9b::")

Resolve = Callable[[str, int], Sequence[str]]
"""A host's addresses as text. Raises: OSError."""
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Door:
    """Where to connect: `host` is who is spoken to, `address` the very address that was checked."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def host_header(self) -> str:
        """The host, and the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, as the system finds it."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def public_door(url: str, find: Resolve = resolve, *, allow_local: bool = False) -> Door:
    """Where to connect to reach `url`, looked up once. `allow_local`: http, and any address, are allowed too.

    Raises: RequestInvalid, which names the rule that refused and not the address; OSError if the host is not found.
    """
    parts = _split(url)
    if parts.scheme not in PORTS or (parts.scheme == "http" and not allow_local):
        raise RequestInvalid("url", "must be https")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise RequestInvalid("url", "must name a host, and no user")
    host, port = parts.hostname, _port(parts)
    if _NUMBERS.fullmatch(host) and not _DOTTED.fullmatch(host):
        raise RequestInvalid("url", "is a number in disguise: write the host's name")
    addresses = [_plain(one) for one in find(host, port)]
    if not addresses:
        raise OSError("the host has no address")
    # All of them: whoever mixes a public with a private one means the private one.
    if not allow_local and not all(map(is_public, addresses)):
        raise RequestInvalid("url", "leads to an address that is not public")
    path = parts.path or "/"
    return Door(parts.scheme, host, port, str(addresses[0]), f"{path}?{parts.query}" if parts.query else path)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise RequestInvalid("url", "is no address") from error


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the internet could reach."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    special = address.is_multicast or address.is_loopback or address.is_link_local or address.is_reserved
    return address.is_global and not special and not address.is_unspecified


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one carries: mapped, 6to4, Teredo, NAT64 or the old compatible form."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if int(address) >> 32 in (int(_NAT64) >> 32, 0) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _plain(text: str) -> Address:
    """Without the zone of a link-local one (`fe80::1%eth0`)."""
    return ip_address(text.partition("%")[0])


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise RequestInvalid("url", "has a port that is none") from error
    return PORTS[parts.scheme] if port is None else port
